"""The session log: a directory that is only ever appended to, and reads back whatever moment its writer died.

    session.json   what was asked for and with which versions (manifest.py)
    samples.xdf    every raw sample with its own stamp; one XDF stream per connection (writer.py, samples.py)
    events.jsonl   decisions, events, states, connections and runs, one JSON object a line

Described in docs/session-log.md. Knows no LSL, no decoder and no screen.
"""
