"""E-mail addresses of people: which are accepted, and how they are stored and compared. Pure."""

MAX_EMAIL_CHARS = 254
NOT_AN_EMAIL = "Must be an e-mail address, for example ada@example.com."
NOT_ASCII = "Must consist of ASCII characters."
_SPACE = " \t"


def normal_email(email: str) -> str:
    """Return an address as it is compared: ASCII letters in lower case, no space around it.

    Other characters stay as they are, so that no two different ones are taken for the same.
    """
    text = email.strip(_SPACE)
    return text.lower() if text.isascii() else text


def mistake_in_email(email: str) -> str | None:
    """Say what is wrong with an address, or None."""
    text = email.strip(_SPACE)
    if not text.isascii():
        return NOT_ASCII
    local, _, domain = text.rpartition("@")
    is_plain = text.isprintable() and " " not in text
    if not (local and domain and is_plain and len(text) <= MAX_EMAIL_CHARS):
        return NOT_AN_EMAIL
    return None
