"""What the commands do, with plain parameters: cli.py parses and calls, these print and return exit codes."""
