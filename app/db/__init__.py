"""Storage: engines, transactions, column types and migrations. Knows no feature."""
