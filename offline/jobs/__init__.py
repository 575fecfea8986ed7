"""Many commands of ours, at once: on this machine or on a SLURM cluster, through submitit.

A job is a command line that a person can repeat. Where it stands is read from files: one result a job,
written whole when its command has ended, so that what is finished is never run again.
"""
