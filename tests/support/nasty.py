"""Values that break careless readers, and how many of them a test run tries."""

import os
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar
from uuid import UUID

T = TypeVar("T")
# More for a long run: BORDERPOST_FUZZ_EXAMPLES=1000 tries every value everywhere.
EXAMPLES = int(os.environ.get("BORDERPOST_FUZZ_EXAMPLES", "1"))
_ID = UUID("018f2d3c-0000-7000-8000-00000000abcd")

TEXTS = [
    "\x00",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999999Z",
    "\u0663",
    "1_0",
    "0001-01-01",
    "9999-12-31",
    "9" * 400,
    f"urn:uuid:{_ID}",
    "1e300",
    "a\x00b",
    "1970-01-01T00:00:00Z",
    f"{{{_ID}}}",
    _ID.hex,
    "-1",
    "nan",
    "+12025550123\x00",
    "+12025550123",
    "\u202e\ufeff\u200b",
    "x" * 5000,
    "9223372036854775808",
    "US",
    "*",
    "null",
    " ",
    "",
    "\U0001f600\ufffe",
    "'\"<>%s{{7*7}}",
]
JSON: list[Any] = [
    *TEXTS,
    "\ud800",
    None,
    2**63,
    -1,
    1e308,
    [],
    {},
    [[]],
    [None],
    ["\x00"],
    {"\x00": 1},
    {"a": {"b": ["\ud800"]}},
    True,
    10**4000,
]


class Rotation:
    """Hands out a few values after another, so that neighbours get different ones."""

    def __init__(self) -> None:
        self._place = 0

    def some(self, values: Sequence[T]) -> Iterator[T]:
        count = min(EXAMPLES, len(values))
        for _ in range(count):
            yield values[self._place % len(values)]
            self._place += 1

    def half(self, values: Sequence[T]) -> list[T]:
        """Return every second value, and the others at the next call."""
        self._place += 1
        return list(values[self._place % 2 :: 2])
