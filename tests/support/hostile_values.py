"""Values that break careless readers, and how long a test run tries them."""

import os
from typing import Any
from uuid import UUID

# A long run takes so many times as many examples: BORDERPOST_FUZZ_EXAMPLES=100.
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
