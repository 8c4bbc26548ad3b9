"""Making the database match a file: organizations, workspaces, use cases and access keys."""
