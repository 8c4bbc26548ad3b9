"""People who use the console: their passwords, their workspaces, their sessions."""
