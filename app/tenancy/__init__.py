"""Workspaces with their first policy and their provider account."""
