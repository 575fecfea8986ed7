"""Training configurations by name; `offline.config.load_config` reads them."""
