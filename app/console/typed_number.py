"""Phone numbers as people type them: with spaces, hyphens, dots and brackets."""

import re
from typing import Any

from app.web.fields import E164Text, PhoneNumberField

# A shorter one is no number with its country code.
_FEWEST_DIGITS = 7
_BETWEEN_DIGITS = re.compile(r"[\s().\-\u2010-\u2015\u00a0/]+")


def tidy_number(text: str) -> str:
    """Remove separators; a leading ``00`` becomes ``+``."""
    tidied = _BETWEEN_DIGITS.sub("", text)
    return "+" + tidied.removeprefix("00") if tidied.startswith("00") else tidied


class TypedNumber(PhoneNumberField):
    """A phone number in a search: tidied, and in canonical form; its ``+`` may be left out."""

    def deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        """Tidy what was typed, and read it."""
        tidied = _tidied(value)
        if isinstance(tidied, str) and tidied.isdecimal() and len(tidied) >= _FEWEST_DIGITS:
            tidied = "+" + tidied
        return super().deserialize(tidied, *args, **kwargs)


class TypedE164(E164Text):
    """A text in E.164 form once it is tidied."""

    def deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        """Tidy what was typed, and read it."""
        return super().deserialize(_tidied(value), *args, **kwargs)


def _tidied(value: Any) -> Any:
    return tidy_number(value) if isinstance(value, str) else value
