"""The delivery of a message."""
