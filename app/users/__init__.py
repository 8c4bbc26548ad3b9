"""People who sign in: passwords, sessions, second factor."""
