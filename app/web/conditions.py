"""Request headers of a change: its condition and its reason."""

import re

from flask import request

CHANGE_HEADERS = {
    "If-Match": "The revision that the change is meant for, quoted; another answers 412",
    "X-Change-Reason": "Why, for the history",
}
_MAX_REASON = 500
_REVISIONS = re.compile(r'\s*"(0|[1-9]\d{0,8})"\s*', re.ASCII)


def change_reason() -> str | None:
    given = request.headers.get("X-Change-Reason", "").strip()
    text = given.encode("latin-1", "replace").decode("utf-8", "replace")
    return text[:_MAX_REASON] or None


def required_revisions() -> frozenset[int] | None:
    """Read ``If-Match``; None without a condition. Invalid values match no revision."""
    given = request.headers.get("If-Match")
    if given is None or given.strip() == "*":
        return None
    found = (_REVISIONS.fullmatch(one) for one in given.split(","))
    return frozenset(int(one.group(1)) for one in found if one is not None)
