"""Valid e-mail addresses, and their normal form. Pure."""

import re

MAX_EMAIL_CHARS = 254
NOT_AN_EMAIL = "Must be an e-mail address, for example ada@example.com."
NOT_ASCII = "Must consist of ASCII characters."
_SPACE = " \t"
# In the header of a mail, the other characters make several addresses, names or comments.
_PLAIN = re.compile(r"[^@\s()<>\[\]:;,\\\"]+@[^@\s()<>\[\]:;,\\\"]+(?<!\.)", re.ASCII)


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
    is_plain = text.isprintable() and _PLAIN.fullmatch(text)
    return None if is_plain and len(text) <= MAX_EMAIL_CHARS else NOT_AN_EMAIL
