"""The pure rules of the destination policy."""
