"""Asking Twilio about messages that exist: one by its SID, or those to a number since a time.

Source: Twilio's Message resource. The list is by number, newest first and without a date, because
messages that were not sent yet have none; its dates are RFC 2822, its segments and prices texts.
"""

from datetime import datetime
from itertools import takewhile
from typing import Any

from twilio.base.exceptions import TwilioRestException

from app.access.provider_account import ProviderAccount
from app.kernel.phone import PhoneNumber
from app.kernel.whole_numbers import read_whole_number
from app.messages.follow_up import ProviderMessage, ProviderUnknown
from app.providers.twilio.clients import TwilioClients
from app.providers.twilio.codes import refusal_kind
from app.providers.twilio.registrations import UNREADABLE

_PAGE = 50
# A number that got more than this since then is beyond asking page by page.
_MOST_LISTED = 1000
_NOT_FOUND = 404


class TwilioMessages:
    """The port `app.messages.follow_up.MessageSource` over Twilio."""

    def __init__(self, clients: TwilioClients) -> None:
        self._clients = clients

    def fetch(self, account: ProviderAccount, message_sid: str) -> ProviderMessage | None:
        """Fetch one message; None where Twilio has none of this SID.

        Raises:
            ProviderUnknown: Twilio could not be asked.
        """
        try:
            found = self._clients.of(account).api.v2010.account.messages(message_sid).fetch()
        except UNREADABLE as problem:
            if isinstance(problem, TwilioRestException) and problem.status == _NOT_FOUND:
                return None
            raise ProviderUnknown(_why(problem)) from problem
        return _read(found)

    def list_to(
        self, account: ProviderAccount, to_number: str, since: datetime
    ) -> list[ProviderMessage]:
        """List the outbound messages to a number that are not older than ``since``.

        Raises:
            ProviderUnknown: Twilio could not be asked.
        """
        try:
            messages = self._clients.of(account).api.v2010.account.messages
            newest_first = messages.stream(to=to_number, limit=_MOST_LISTED, page_size=_PAGE)
            found = list(takewhile(lambda one: _is_since(one, since), newest_first))
        except UNREADABLE as problem:
            raise ProviderUnknown(_why(problem)) from problem
        return [_read(one) for one in found if str(one.direction).startswith("outbound")]


def _is_since(one: Any, since: datetime) -> bool:
    return not isinstance(one.date_created, datetime) or one.date_created >= since


def _read(found: Any) -> ProviderMessage:
    error_code = found.error_code if isinstance(found.error_code, int) else None
    return ProviderMessage(
        message_sid=str(found.sid),
        messaging_service_sid=found.messaging_service_sid,
        to_number=PhoneNumber.parse(str(found.to)) or str(found.to),
        body=str(found.body or ""),
        status=str(found.status),
        created_at=found.date_created if isinstance(found.date_created, datetime) else None,
        error_code=error_code,
        meaning=None if error_code is None else refusal_kind(error_code),
        from_number=found.from_ or None,
        num_segments=_segments(found.num_segments),
        price=found.price,
        price_unit=found.price_unit if found.price is not None else None,
    )


def _segments(text: object) -> int | None:
    # "0" while the Messaging Service has not chosen a sender.
    return read_whole_number(text, least=1) if isinstance(text, str) else None


def _why(problem: Exception) -> str:
    code = getattr(problem, "code", None)
    return type(problem).__name__ if code is None else f"Twilio answered {code}"
