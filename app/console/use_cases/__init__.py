"""Pages of use cases."""
