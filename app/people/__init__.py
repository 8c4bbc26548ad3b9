"""Console users: passwords, roles, sessions."""
