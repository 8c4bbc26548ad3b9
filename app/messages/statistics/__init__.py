"""Statistics of messages."""
