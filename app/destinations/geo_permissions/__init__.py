"""Geo permissions."""
