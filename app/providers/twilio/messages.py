"""Reading messages from Twilio: one by SID, or those to a number since a time.

Source: Twilio's Message resource. The list is by number, newest `DateSent` first, without a date
filter, because unsent messages have no date. It is read without the SDK's classes, so that a wrong
value affects its own entry only.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from twilio.rest import Client

from app.kernel.ids import canonical_sid
from app.kernel.phone import PhoneNumber
from app.kernel.whole_numbers import read_whole_number
from app.providers.port import Charge, Listing, ProviderAccount, ProviderMessage, ProviderUnknown
from app.providers.twilio.client import (
    API,
    TwilioClients,
    get_json,
    messages_url,
    said_by,
    storable_sender,
    unknown,
)
from app.providers.twilio.codes import MESSAGE_SID, read_code, refusal_kind, status_of

_PAGE = 100
# A number with more messages than this is not read completely.
_MOST_PAGES = 20
# Of the messages of an account in a few hours.
_MOST_CHARGES = 10_000
_NO_SUCH_MESSAGE = 20404
_LONGEST_STATUS = 40
_PRICE = re.compile(r"-?\d{1,9}(\.\d{1,9})?", re.ASCII)
# "Sent from your Twilio trial account - "
_TRIAL_PREFIX = re.compile(r".{0,60}?Twilio trial account(?: - )?", re.IGNORECASE)
_CURRENCY = re.compile(r"[A-Za-z]{3}", re.ASCII)


class TwilioMessages:
    def __init__(self, clients: TwilioClients) -> None:
        self._clients = clients

    def fetch(self, account: ProviderAccount, message_sid: str) -> ProviderMessage | None:
        url = f"{API}/2010-04-01/Accounts/{account.sid}/Messages/{message_sid}.json"
        try:
            found = _read(get_json(self._clients.of(account), url))
        except Exception as problem:
            if said_by(problem)[1] == _NO_SUCH_MESSAGE:
                return None
            raise unknown(problem) from problem
        if found is None or found.message_sid.lower() != message_sid.lower():
            raise ProviderUnknown("no answer that can be read")
        return found

    def list_to(self, account: ProviderAccount, to_number: str, since: datetime) -> Listing:
        try:
            pages = _pages(self._clients.of(account), account.sid, {"To": to_number})
            return _listing(pages, since)
        except Exception as problem:
            raise unknown(problem) from problem

    def list_charges(
        self, account: ProviderAccount, since: datetime, until: datetime
    ) -> Iterator[list[Charge]]:
        sent = {"DateSent>": _seconds(since), "DateSent<": _seconds(until)}
        try:
            for page in _pages(self._clients.of(account), account.sid, sent, _MOST_CHARGES):
                found = (_read(entry) for entry in page or ())
                yield [
                    Charge(one.message_sid, one.price, one.price_unit)
                    for one in found
                    if one is not None and one.price is not None and one.price_unit is not None
                ]
        except Exception as problem:
            raise unknown(problem) from problem


def _seconds(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _pages(
    client: Client, account_sid: str, wanted: Mapping[str, object], most: int = _MOST_PAGES
) -> Iterator[list[Any] | None]:
    """Yield the entries of each page, and None if pages are left."""
    url = messages_url(account_sid)
    params: dict[str, object] | None = {**wanted, "PageSize": _PAGE}
    for _ in range(most):
        page = get_json(client, url, params)
        if not isinstance(page, dict) or not isinstance(page.get("messages"), list):
            raise TypeError("a list that is none")
        yield page["messages"]
        rest = page.get("next_page_uri")
        if not rest:
            return
        if not isinstance(rest, str) or not rest.startswith("/"):
            raise TypeError("a next page that is none")
        url, params = API + rest, None
    yield None


def _listing(pages: Iterator[list[Any] | None], since: datetime) -> Listing:
    """Read until a whole page is older; skip unreadable entries."""
    # A message that is sent while the pages are read may be on two of them.
    found: dict[str, ProviderMessage] = {}
    is_complete, old_in_a_row = True, 0
    for page in pages:
        if page is None:
            return Listing(list(found.values()), is_complete=False)
        for entry in page:
            if isinstance(entry, dict) and _is_before(entry, "date_created", since):
                # The list is sorted by time of sending, which unsent messages do not have.
                old_in_a_row += _is_before(entry, "date_sent", since)
                continue
            old_in_a_row = 0
            if isinstance(entry, dict) and entry.get("direction") == "inbound":
                continue
            one = _read(entry)
            if one is None:
                is_complete = False
            else:
                found[one.message_sid] = one
        if old_in_a_row >= _PAGE:
            break
    return Listing(list(found.values()), is_complete)


def _is_before(entry: dict[str, Any], name: str, since: datetime) -> bool:
    at = _time(entry.get(name))
    return at is not None and at < since


def _read(entry: object) -> ProviderMessage | None:
    """None without identity or text."""
    if not isinstance(entry, dict):
        return None
    sid, status, to, body = (entry.get(name) for name in ("sid", "status", "to", "body"))
    if (
        not isinstance(sid, str)
        or not MESSAGE_SID.fullmatch(sid)
        or not isinstance(status, str)
        or not (status.isprintable() and 0 < len(status) <= _LONGEST_STATUS)
        or not isinstance(to, str)
    ):
        return None
    error_code = read_code(entry.get("error_code"))
    price, unit = _text(entry.get("price")), _text(entry.get("price_unit"))
    has_price = _is(_PRICE, price) and _is(_CURRENCY, unit)
    return ProviderMessage(
        message_sid=sid,
        messaging_service_sid=canonical_sid(_text(entry.get("messaging_service_sid")) or "")
        or None,
        to_number=PhoneNumber.parse(to) or to,
        body=body if isinstance(body, str) else "",
        status=status_of(status),
        provider_status=status,
        created_at=_time(entry.get("date_created")),
        error_code=error_code,
        meaning=None if error_code is None else refusal_kind(error_code),
        from_number=storable_sender(entry.get("from")),
        num_segments=_segments(entry.get("num_segments")),
        price=price if has_price else None,
        price_unit=unit.upper() if has_price and unit else None,
        added_prefix=_added_prefix(body),
    )


def _added_prefix(body: object) -> str:
    found = _TRIAL_PREFIX.match(body) if isinstance(body, str) else None
    return found[0] if found else ""


def _is(pattern: re.Pattern[str], text: str | None) -> bool:
    return text is not None and pattern.fullmatch(text) is not None


def _time(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        at = parsedate_to_datetime(value)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _segments(text: object) -> int | None:
    # "0" while the Messaging Service has not chosen a sender.
    return read_whole_number(text, least=1) if isinstance(text, str) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
