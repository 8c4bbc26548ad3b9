"""Prices of messages: the table, its import, its refresh from the provider, and the estimate."""
