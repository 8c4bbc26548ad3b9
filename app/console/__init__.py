"""Pages for people, over the same operations as the API. No rule lives here."""
