"""Pages of workspaces."""
