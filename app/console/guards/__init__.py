"""Pages of guards and alerts."""
