"""Settings of an emulator, and its only access to the system clock."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from app.emulator.accounts import Account

ANY_HOST: Final = "*"


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class EmulatorConfig:
    accounts: tuple[Account, ...] = ()
    status_pace_seconds: float = 0.2
    retry_pause_seconds: float = 0.2
    callback_workers: int = 8
    # Hosts that may be called back in addition to loopback; ANY_HOST allows all.
    callback_hosts: frozenset[str] = frozenset()
    now: Callable[[], datetime] = utc_now


DEFAULT_CONFIG: Final = EmulatorConfig()
