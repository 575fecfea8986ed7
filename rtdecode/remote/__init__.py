"""A running session seen from elsewhere: another terminal, a browser. Read-only, and only when asked for."""
