"""The send of a message."""
