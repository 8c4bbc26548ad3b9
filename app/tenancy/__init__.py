"""Workspaces as a whole: made with their first policy, changed, linked to a provider account."""
