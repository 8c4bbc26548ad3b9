"""Routes of destination management."""
