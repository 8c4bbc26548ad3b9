"""Asking Twilio about messages that exist: one by its SID, or those to a number since a time.

Source: Twilio's Message resource. The list is by number, newest `DateSent` first and without a date
filter, because messages that were not sent yet have none; so an old one may precede a new one. Its
dates are RFC 2822, its segments and prices texts.
"""

import json
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Any

from twilio.base.exceptions import TwilioRestException
from twilio.http.response import Response

from app.access.provider_account import ProviderAccount
from app.db.vault import SealBroken
from app.kernel.phone import PhoneNumber
from app.kernel.provider_sids import canonical_sid
from app.kernel.whole_numbers import read_whole_number
from app.messages.follow_up import AccountRefused, ProviderUnknown
from app.messages.matching import Listing, ProviderMessage
from app.messages.ports import RefusalKind
from app.providers.twilio.client import is_message_sid, storable_sender
from app.providers.twilio.clients import TwilioClients
from app.providers.twilio.codes import SMALLEST_CODE, read_code, refusal_kind

_PAGE = 100
# A number that got more than this since then is beyond asking page by page.
_MOST_LISTED = 1000
_NOT_FOUND = 404
_UNAUTHORIZED = frozenset([401, 403])


class TwilioMessages:
    """The port `app.messages.follow_up.MessageSource` over Twilio."""

    def __init__(self, clients: TwilioClients) -> None:
        self._clients = clients

    def fetch(self, account: ProviderAccount, message_sid: str) -> ProviderMessage | None:
        """Fetch one message; None where Twilio has none of this SID.

        Raises:
            ProviderUnknown: Twilio could not be asked, or its answer cannot be read.
        """
        try:
            found = self._clients.of(account).api.v2010.account.messages(message_sid).fetch()
            return _read(found)
        except Exception as problem:
            if isinstance(problem, TwilioRestException) and problem.status == _NOT_FOUND:
                return None
            raise _unknown(problem) from problem

    def list_to(self, account: ProviderAccount, to_number: str, since: datetime) -> Listing:
        """List the outbound messages to a number that are not older than ``since``.

        Raises:
            ProviderUnknown: Twilio could not be asked, or its answer cannot be read.
        """
        try:
            messages = self._clients.of(account).api.v2010.account.messages
            first = messages.page(to=to_number, page_size=_PAGE)
            found, is_complete = _since(islice(_over_pages(first), _MOST_LISTED), since)
            sent = [one for one in found if one.direction != "inbound"]
            return Listing([_read(one) for one in sent], is_complete)
        except Exception as problem:
            raise _unknown(problem) from problem


def _over_pages(page: Any) -> Iterator[Any]:
    """Read page after page; the SDK takes an object in the place of the list for an empty one."""
    while page is not None:
        if not isinstance(page._payload.get("messages"), list):  # noqa: SLF001
            raise TypeError("a list that is none")
        yield from page
        page = page.next_page()


def _since(stream: Iterator[Any], since: datetime) -> tuple[list[Any], bool]:
    """Read until a whole page was too old; return what was not, and whether this was all."""
    found, read, old_in_a_row = [], 0, 0
    for one in stream:
        read += 1
        if not isinstance(one.date_created, datetime) or one.date_created >= since:
            found.append(one)
            old_in_a_row = 0
            continue
        old_in_a_row += 1
        if old_in_a_row >= _PAGE:
            return found, True
    return found, read < _MOST_LISTED


def _read(found: Any) -> ProviderMessage:
    error_code = read_code(found.error_code)
    if not is_message_sid(found.sid) or not isinstance(found.status, str):
        raise TypeError("a message without a SID or a status")
    return ProviderMessage(
        message_sid=found.sid,
        messaging_service_sid=canonical_sid(_text(found.messaging_service_sid) or "") or None,
        to_number=PhoneNumber.parse(str(found.to)) or str(found.to),
        body=str(found.body or ""),
        status=found.status,
        created_at=found.date_created if isinstance(found.date_created, datetime) else None,
        error_code=error_code,
        meaning=None if error_code is None else refusal_kind(error_code),
        from_number=storable_sender(found.from_),
        num_segments=_segments(found.num_segments),
        price=_text(found.price),
        price_unit=_text(found.price_unit) if _text(found.price) is not None else None,
    )


def _segments(text: object) -> int | None:
    # "0" while the Messaging Service has not chosen a sender.
    return read_whole_number(text, least=1) if isinstance(text, str) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _unknown(problem: Exception) -> ProviderUnknown:
    """Say why nothing is known: refused credentials concern the account, the rest one message."""
    if isinstance(problem, SealBroken):
        return AccountRefused("the stored auth token cannot be decrypted", None)
    status, code = _answered(problem)
    why = f"HTTP {status}" if code is None else f"Twilio answered {code}"
    if status in _UNAUTHORIZED or (
        code is not None and refusal_kind(code) is RefusalKind.PROVIDER_MISCONFIGURED
    ):
        return AccountRefused(why, code)
    if status is not None:
        return ProviderUnknown(why)
    return ProviderUnknown(f"no answer that can be read ({type(problem).__name__})")


def _answered(problem: Exception) -> tuple[int | None, int | None]:
    """Return the HTTP status and Twilio's code of an error; the SDK hides those of a list."""
    if isinstance(problem, TwilioRestException):
        status, code = problem.status, problem.code
    else:
        answers = [one for one in problem.args if isinstance(one, Response)]
        if not answers:
            return None, None
        status, code = answers[0].status_code, _code_in(answers[0].text)
    is_code = isinstance(code, int) and code >= SMALLEST_CODE
    return status, code if is_code else None


def _code_in(text: object) -> int | None:
    try:
        body = json.loads(str(text))
    except (ValueError, RecursionError):
        return None
    return read_code(body.get("code")) if isinstance(body, dict) else None
