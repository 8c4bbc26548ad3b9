"""Filters and pages of the message list."""

import operator
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, Final
from urllib.parse import urlencode

from app.emulator.errors import TwilioError
from app.emulator.records import Message
from app.emulator.twilio_api.message_json import message_json

_LARGEST_PAGE: Final = 1000
_COMPARISONS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "DateSent": operator.eq,
    "DateSent<": operator.le,
    "DateSent>": operator.ge,
}


def list_page(
    newest_first: Sequence[Message], path: str, query: Mapping[str, str]
) -> dict[str, object]:
    """Returns a page in Twilio's envelope; raises `TwilioError` 20001."""
    size = _number(query, "PageSize", 50, low=1, high=_LARGEST_PAGE)
    page = _number(query, "Page", 0)
    found = [message for message in newest_first if _matches(message, query)]
    after = _after(found, query.get("PageToken"))
    shown = after[:size]
    kept = {name: query[name] for name in ("To", "From", *_COMPARISONS) if name in query}
    base = f"{path}?{urlencode({**kept, 'PageSize': size, 'Page': ''})}"
    next_page = f"{base}{page + 1}&PageToken=PA{shown[-1].sid}" if len(after) > size else None
    start = page * size
    return {
        "end": start + max(len(shown) - 1, 0),
        "first_page_uri": f"{base}0",
        "next_page_uri": next_page,
        "page": page,
        "page_size": size,
        "previous_page_uri": f"{base}{page - 1}" if page else None,
        "start": start,
        "uri": f"{base}{page}",
        "messages": [message_json(message) for message in shown],
    }


def _after(found: list[Message], token: str | None) -> list[Message]:
    if token is None:
        return found
    sids = [message.sid for message in found]
    if token.removeprefix("PA") not in sids:
        raise TwilioError(20001, "PageToken")
    return found[sids.index(token.removeprefix("PA")) + 1 :]


def _matches(message: Message, query: Mapping[str, str]) -> bool:
    return (
        query.get("To", message.to) == message.to
        and query.get("From", message.sender) == message.sender
        and _was_sent_between(message.sent_at, query)
    )


def _was_sent_between(sent_at: datetime | None, query: Mapping[str, str]) -> bool:
    """Unsent messages only match without bounds."""
    bounds = {name: _bound(query[name]) for name in _COMPARISONS if name in query}
    if sent_at is None:
        return not bounds
    return all(
        _COMPARISONS[name](sent_at if isinstance(bound, datetime) else sent_at.date(), bound)
        for name, bound in bounds.items()
    )


def _bound(text: str) -> date:
    """A date, or a datetime in UTC."""
    try:
        if "T" not in text:
            return date.fromisoformat(text)
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise TwilioError(20001, "DateSent") from error
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _number(
    query: Mapping[str, str], name: str, default: int, *, low: int = 0, high: int = 10**6
) -> int:
    text = query.get(name, str(default))
    if not (text.isascii() and text.isdecimal()) or not low <= int(text) <= high:
        raise TwilioError(20001, name)
    return int(text)
