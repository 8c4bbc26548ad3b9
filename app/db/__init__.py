"""Storage: engines, transactions, column types and migrations; no features."""
