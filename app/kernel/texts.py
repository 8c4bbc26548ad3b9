"""Which texts can be stored. Pure."""

UNSTORABLE = "Holds a character that cannot be sent."


def is_storable(text: str) -> bool:
    """Say whether both engines can store a text: no NUL and no half of a surrogate pair."""
    return "\x00" not in text and not any("\ud800" <= char <= "\udfff" for char in text)
