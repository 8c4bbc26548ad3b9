"""Asking Twilio whether an auth token is that of an account.

Source: Twilio's Account resource, fetched with the account's own credentials.
"""

import structlog
from twilio.base.exceptions import TwilioRestException, TwilioServiceException
from twilio.http import HttpClient
from twilio.rest import Client

from app.kernel.errors import ProviderUnavailable
from app.kernel.provider_sids import canonical_sid
from app.providers.twilio.registrations import UNREADABLE_ANSWER

_log = structlog.get_logger(__name__)
_REFUSALS = frozenset({401, 403, 404})
# JSON that is no object makes the SDK stumble.
_FAILURES = (*UNREADABLE_ANSWER, AttributeError, TypeError)
_NOT_ASKED = "Twilio could not be asked about the account. Nothing was changed; try again."


class TwilioProof:
    """The port `app.providers.port.TokenProver` over Twilio."""

    def __init__(self, transport: HttpClient) -> None:
        self._transport = transport

    def accepts(self, account_sid: str, auth_token: str) -> bool:
        """Say whether Twilio shows the account to a caller with this token.

        Raises:
            ProviderUnavailable: Twilio could not be asked, or its answer is not the account.
        """
        client = Client(account_sid, auth_token, http_client=self._transport)
        try:
            account = client.api.v2010.accounts(account_sid).fetch()
        except (TwilioRestException, TwilioServiceException) as problem:
            if problem.status in _REFUSALS:
                return False
            raise _not_asked(problem) from problem
        except _FAILURES as problem:
            raise _not_asked(problem) from problem
        if canonical_sid(str(account.sid)) != account_sid:
            raise _not_asked(None)
        return True


def _not_asked(problem: Exception | None) -> ProviderUnavailable:
    _log.warning("account_not_proven", why=type(problem).__name__)
    return ProviderUnavailable(message=_NOT_ASKED)
