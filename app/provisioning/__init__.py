"""`apply`: make the database match a file."""
