"""Who may do what: organizations, workspaces, access keys and roles."""
