"""Organizations, workspaces, access keys, roles and the audit log."""
