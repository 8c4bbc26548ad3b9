"""Migrations, run by app.db.schema."""
