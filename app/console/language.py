"""The language of the pages."""


def visitor_language() -> str:
    """Return the language in which countries are named: that of all other texts."""
    return "en"
