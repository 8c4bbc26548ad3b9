"""The one form of a provider's identifiers (SIDs): two capitals and 32 lower-case hex digits.

Source: Twilio, "What is a String Identifier (SID)?".
"""

import re

_SID = re.compile(r"[A-Z]{2}[0-9a-fA-F]{32}", re.ASCII)


def canonical_sid(text: str) -> str:
    """Return an identifier in its one form; any other text stays as it is."""
    return text[:2] + text[2:].lower() if _SID.fullmatch(text) else text
