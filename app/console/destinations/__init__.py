"""The pages of Manage Destinations."""
