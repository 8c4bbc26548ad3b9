"""The pages of Manage Destinations: what counts, what is wished for, and saving it."""
