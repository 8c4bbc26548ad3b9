"""The auth tokens that callbacks of an account may be signed with.

Cached for 30 s per process. A signature that fits no cached token is checked against fresh ones, so
a rotation loses nothing.
"""

import re
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import bindparam, select

from app.access.tables import provider_accounts
from app.db.engine import Database
from app.db.vault import Vault
from app.kernel.clock import Clock

KEEP = timedelta(seconds=30)
_SID = re.compile(r"AC[0-9a-f]{32}", re.ASCII)

_BY_SID = select(provider_accounts.c.auth_token, provider_accounts.c.next_auth_token).where(
    provider_accounts.c.sid == bindparam("sid")
)


class _Kept(NamedTuple):
    tokens: tuple[str, ...]
    until: datetime


class AccountTokens:
    """Looks up the current and the next token of an account."""

    def __init__(self, database: Database, vault: Vault, clock: Clock) -> None:
        self._database = database
        self._vault = vault
        self._clock = clock
        self._kept: dict[str, _Kept] = {}

    def kept(self, account_sid: str) -> tuple[str, ...]:
        """Return the tokens as known for the last half minute; () for an unknown account."""
        kept = self._kept.get(account_sid)
        if kept is not None and kept.until > self._clock.now():
            return kept.tokens
        return self.fresh(account_sid)

    def fresh(self, account_sid: str) -> tuple[str, ...]:
        """Read the tokens; only those of known accounts are cached.

        Raises:
            ServiceUnavailable: the database cannot be reached.
            SealBroken: a token cannot be decrypted.
        """
        if not _SID.fullmatch(account_sid):
            return ()  # not every text can be asked of a database
        with self._database.reading() as connection:
            row = connection.execute(_BY_SID, {"sid": account_sid}).one_or_none()
        if row is None:
            self._kept.pop(account_sid, None)
            return ()
        sealed = [token for token in row if token is not None]
        tokens = tuple(self._vault.open(account_sid, token) for token in sealed)
        self._kept[account_sid] = _Kept(tokens, self._clock.now() + KEEP)
        return tokens
