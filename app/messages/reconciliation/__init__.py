"""Reconciliation with the provider."""
