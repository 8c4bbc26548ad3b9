"""Pages for people, over the operations of the API."""
