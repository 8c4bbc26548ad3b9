"""Regions with their prices, and accounts; the first call creates an undeclared account."""

import re
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum
from typing import Final

import phonenumbers

from app.emulator.errors import TwilioError

# Those that Twilio calls high-risk, or does not support (error 30649).
HIGH_RISK: Final = frozenset({"AZ", "BD", "DZ", "IL", "LK", "NG", "OM", "PK", "PS", "TJ", "TN"})
UNSUPPORTED: Final = frozenset({"CU", "IR", "SY"})
REGIONS: Final = tuple(sorted(phonenumbers.SUPPORTED_REGIONS))
CURRENCY: Final = "USD"
_USUAL: Final = Decimal("0.0500")
_PER_SEGMENT: Final = {
    "BR": Decimal("0.0600"),
    "CA": Decimal("0.0080"),
    "DE": Decimal("0.1000"),
    "FR": Decimal("0.0800"),
    "GB": Decimal("0.0500"),
    "MA": Decimal("0.1200"),
    "MX": Decimal("0.0300"),
    "US": Decimal("0.0080"),
}
ACCOUNT_SID: Final = re.compile(r"AC[0-9a-fA-F]{32}")
KEY_SID: Final = re.compile(r"SK[0-9a-fA-F]{32}")


def calling_prefix(region: str) -> str:
    return f"+{phonenumbers.country_code_for_region(region)}"


def region_of(number: str) -> str | None:
    region = phonenumbers.region_code_for_number(phonenumbers.parse(number, None))
    return region if region in phonenumbers.SUPPORTED_REGIONS else None


def price_of_segment(region: str) -> Decimal:
    return _PER_SEGMENT.get(region, _USUAL)


def price_on_second_network(region: str) -> Decimal:
    return price_of_segment(region) * Decimal("1.1")


class BrandStatus(StrEnum):
    PENDING = "PENDING"
    APPROVED = "APPROVED"
    FAILED = "FAILED"
    IN_REVIEW = "IN_REVIEW"
    DELETION_PENDING = "DELETION_PENDING"
    DELETION_FAILED = "DELETION_FAILED"
    SUSPENDED = "SUSPENDED"


@dataclass(frozen=True, slots=True)
class Account:
    """`auth_token` is null until the first call, `campaign_status` without a campaign."""

    sid: str
    auth_token: str | None = field(default=None, repr=False)
    next_auth_token: str | None = field(default=None, repr=False)
    api_keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    closed_regions: frozenset[str] = HIGH_RISK
    brand_status: BrandStatus = BrandStatus.APPROVED
    campaign_status: str | None = "VERIFIED"

    def can_reach(self, region: str | None) -> bool:
        return region is not None and region not in self.closed_regions | UNSUPPORTED

    def with_regions(self, permissions: Mapping[str, bool]) -> "Account":
        opened = {region for region, enabled in permissions.items() if enabled}
        return replace(self, closed_regions=(self.closed_regions | set(permissions)) - opened)


class AccountBook:
    """The known accounts; safe to use from many threads."""

    def __init__(self, declared: Iterable[Account] = ()) -> None:
        self._lock = threading.Lock()
        self._declared = tuple(declared)
        self.reset()

    def authenticate(self, user: str, secret: str, path_sid: str | None) -> Account:
        """`path_sid` is null on hosts without accounts in paths.

        Raises `TwilioError` 20003 for wrong credentials, 20404 for another account's path.
        """
        with self._lock:
            account = self._identified(user, secret, path_sid)
            if path_sid not in (None, account.sid):
                raise TwilioError(20404)
            self._accounts[account.sid] = account
            return account

    def _identified(self, user: str, secret: str, path_sid: str | None) -> Account:
        if secret and ACCOUNT_SID.fullmatch(user):
            account = self._accounts.get(user, Account(user))
            if account.auth_token in (None, secret):
                return replace(account, auth_token=secret)
            if account.next_auth_token == secret:
                return account
        if secret and KEY_SID.fullmatch(user):
            return self._owner_of_key(user, secret, path_sid)
        raise TwilioError(20003)

    def _owner_of_key(self, key: str, secret: str, path_sid: str | None) -> Account:
        for account in self._accounts.values():
            if key in account.api_keys:
                if account.api_keys[key] == secret:
                    return account
                raise TwilioError(20003)
        if path_sid is None or not ACCOUNT_SID.fullmatch(path_sid):
            raise TwilioError(20003)
        owner = self._accounts.get(path_sid, Account(path_sid))
        return replace(owner, api_keys={**owner.api_keys, key: secret})

    def find(self, sid: str) -> Account | None:
        with self._lock:
            return self._accounts.get(sid)

    def change(self, sid: str, change: Callable[[Account], Account]) -> Account:
        """Applies `change` to an account, which is created when it is unknown."""
        with self._lock:
            account = change(self._accounts.get(sid, Account(sid)))
            self._accounts[sid] = account
            return account

    def reset(self) -> None:
        with self._lock:
            self._accounts = {account.sid: account for account in self._declared}
