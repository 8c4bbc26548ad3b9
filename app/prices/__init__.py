"""Prices: the table, its import, its refresh from the provider, and the estimate."""
