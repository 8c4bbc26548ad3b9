"""Settings of an emulator, and its only access to the system clock."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from app.emulator.accounts import Account

ANY_HOST: Final = "*"


def utc_now() -> datetime:
    """The present moment in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class EmulatorConfig:
    """How one emulator behaves; times are in seconds."""

    accounts: tuple[Account, ...] = ()
    status_pace_seconds: float = 0.2
    retry_pause_seconds: float = 0.2
    callback_workers: int = 8
    # Hosts beside loopback that may be called back; ANY_HOST lifts the restriction.
    callback_hosts: frozenset[str] = frozenset()
    now: Callable[[], datetime] = utc_now


DEFAULT_CONFIG: Final = EmulatorConfig()
