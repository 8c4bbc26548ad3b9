"""Phone numbers as people type them: with spaces, hyphens, dots and brackets."""

import re

from app.web.fields import PhoneNumber

_BETWEEN_DIGITS = re.compile(r"[\s().\-\u2010-\u2015\u00a0/]+")


def tidy_number(text: str) -> str:
    """Leave out what stands between digits; ``00`` before the country becomes ``+``."""
    tidied = _BETWEEN_DIGITS.sub("", text)
    return "+" + tidied.removeprefix("00") if tidied.startswith("00") else tidied


class TypedNumber(PhoneNumber):
    """A number in E.164 form once it is tidied."""

    def _deserialize(self, value: object, *args: object, **kwargs: object) -> str:
        tidied = tidy_number(value) if isinstance(value, str) else value
        return super()._deserialize(tidied, *args, **kwargs)  # type: ignore[arg-type]
