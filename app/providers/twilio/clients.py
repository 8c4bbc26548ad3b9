"""SDK clients, one per account and token, over one connection pool."""

from functools import lru_cache
from importlib import import_module

from twilio.http import HttpClient
from twilio.rest import Client

from app.access.provider_account import ProviderAccount
from app.db.vault import Vault


def load_sdk() -> None:
    """Load the parts of the SDK that a send needs, before the fork."""
    import_module("twilio.rest.api")


class TwilioClients:
    """Hands out the client of an account; a changed token makes a new one."""

    def __init__(self, transport: HttpClient, vault: Vault) -> None:
        self._transport = transport
        self._vault = vault
        self._made = lru_cache(maxsize=1024)(self._make)

    def of(self, account: ProviderAccount) -> Client:
        """Return the client that acts as an account, with that account's own token.

        Raises:
            SealBroken: the stored token cannot be decrypted.
        """
        return self._made(account)

    def _make(self, account: ProviderAccount) -> Client:
        token = self._vault.open(account.sid, account.sealed_auth_token)
        return Client(account.sid, token, http_client=self._transport)
