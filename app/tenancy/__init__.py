"""Workspaces: created with a first policy, changed, linked to a provider account."""
