"""Pages for people, over the same operations as the API: no rule lives here."""
