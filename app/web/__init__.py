"""HTTP conventions of every route: errors, bodies, ids, pages."""
