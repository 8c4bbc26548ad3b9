"""Pages of access keys and the audit log."""
