"""Brand and A2P campaign states from Twilio.

Source: Twilio, BrandRegistrations and Usa2p. These hosts act on the authenticating account, so a
subaccount uses its own token.
"""

from twilio.base.exceptions import TwilioException

from app.db.encryption import DecryptionError
from app.providers.port import ProviderAccount, RegistrationsUnknown
from app.providers.twilio.client import TwilioClients
from app.providers.twilio.transport import NotConfirmed, NotConnected, Throttled

UNREADABLE_ANSWER = (
    NotConnected,
    NotConfirmed,
    Throttled,
    TwilioException,
    DecryptionError,
    # The SDK stumbles over JSON of another shape than Twilio's.
    AttributeError,
    TypeError,
    LookupError,
    ValueError,
    ArithmeticError,
    RecursionError,
)


class TwilioRegistrations:
    """The port `app.providers.port.RegistrationSource` over Twilio."""

    def __init__(self, clients: TwilioClients) -> None:
        self._clients = clients

    def brand_status(self, account: ProviderAccount, brand_sid: str) -> str:
        """Return a brand's status in Twilio's word.

        Raises:
            RegistrationsUnknown: Twilio could not be asked.
        """
        try:
            brand = self._clients.of(account).messaging.v1.brand_registrations(brand_sid).fetch()
        except UNREADABLE_ANSWER as problem:
            raise RegistrationsUnknown(_why(problem)) from problem
        return str(brand.status)

    def campaign_status(
        self, account: ProviderAccount, messaging_service_sid: str, campaign_sid: str
    ) -> str:
        """Return a campaign's status in Twilio's word.

        Raises:
            RegistrationsUnknown: Twilio could not be asked, or lists no such campaign.
        """
        try:
            service = self._clients.of(account).messaging.v1.services(messaging_service_sid)
            listed = service.us_app_to_person.list(limit=100)
        except UNREADABLE_ANSWER as problem:
            raise RegistrationsUnknown(_why(problem)) from problem
        for campaign in listed:
            if campaign.sid == campaign_sid:
                return str(campaign.campaign_status)
        raise RegistrationsUnknown("the Messaging Service lists no such campaign")


def _why(problem: Exception) -> str:
    code = getattr(problem, "code", None)
    return type(problem).__name__ if code is None else f"Twilio answered {code}"
