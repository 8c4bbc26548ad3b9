"""HTTP conventions shared by every route: errors, bodies, ids, pages. Knows no feature."""
