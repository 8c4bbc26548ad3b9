"""Valid e-mail addresses, and their normal form. Pure."""

MAX_EMAIL_CHARS = 254
NOT_AN_EMAIL = "Must be an e-mail address, for example ada@example.com."
NOT_ASCII = "Must consist of ASCII characters."
_SPACE = " \t"


def normal_email(email: str) -> str:
    """Strip spaces, and lower-case an ASCII address.

    Other addresses keep their case, so that different ones stay different.
    """
    text = email.strip(_SPACE)
    return text.lower() if text.isascii() else text


def mistake_in_email(email: str) -> str | None:
    text = email.strip(_SPACE)
    if not text.isascii():
        return NOT_ASCII
    local, _, domain = text.rpartition("@")
    is_plain = text.isprintable() and " " not in text
    if not (local and domain and is_plain and len(text) <= MAX_EMAIL_CHARS):
        return NOT_AN_EMAIL
    return None
