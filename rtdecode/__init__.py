"""rtdecode: a streaming, real-time brain decoder for the terminal."""

__version__ = "0.1.0"
