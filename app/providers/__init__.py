"""Adapters to SMS providers."""
