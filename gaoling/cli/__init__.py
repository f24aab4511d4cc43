"""The `gaoling` command, thin: parses, calls, prints."""
