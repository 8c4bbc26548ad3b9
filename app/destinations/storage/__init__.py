"""SQL of policies and their history."""
