"""Pictures of the console's pages, for people who review a change of them."""
