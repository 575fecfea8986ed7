"""Where samples come from. Each module knows one transport and hands out plain arrays and StreamInfo."""
