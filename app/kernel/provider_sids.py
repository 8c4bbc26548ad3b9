"""Canonical form of provider identifiers: two capitals and 32 lower-case hex digits.

Source: Twilio, "What is a String Identifier (SID)?".
"""

import re

_SID = re.compile(r"[A-Z]{2}[0-9a-fA-F]{32}", re.ASCII)


def canonical_sid(text: str) -> str:
    """Other texts are returned unchanged."""
    return text[:2] + text[2:].lower() if _SID.fullmatch(text) else text
