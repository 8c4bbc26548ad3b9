"""Prices: table, import, refresh from the provider, estimate."""
