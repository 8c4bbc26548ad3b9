"""Which tokens of an account count while it changes them."""

from app.access.accounts import AccountTokens
from app.db.engine import Database
from support.callbacks import new_sid
from support.factories import ACCOUNT, AUTH_TOKEN, Factory, Gateway, Tenant
from support.tables import set_tokens
from support.time import ManualClock

NEXT = "f" * 32


def _status(gateway: Gateway, token: str) -> int:
    return int(gateway.callback(None, new_sid(), "sent", token=token).status_code)


def test_the_current_and_the_next_token_both_count(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    set_tokens(factory, ACCOUNT, AUTH_TOKEN, NEXT)
    assert _status(gateway, AUTH_TOKEN) == 204
    assert _status(gateway, NEXT) == 204
    assert _status(gateway, "0" * 32) == 403


def test_a_token_changed_in_the_database_applies_immediately(
    timed_gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    assert _status(timed_gateway, AUTH_TOKEN) == 204  # now the tokens are kept
    assert _status(timed_gateway, NEXT) == 403
    set_tokens(factory, ACCOUNT, AUTH_TOKEN, NEXT)
    assert _status(timed_gateway, NEXT) == 204
    set_tokens(factory, ACCOUNT, "e" * 32)
    assert _status(timed_gateway, "e" * 32) == 204
    # What was read to check the new token has replaced the old ones.
    assert _status(timed_gateway, AUTH_TOKEN) == 403


def test_a_token_that_is_no_longer_stored_ends_after_half_a_minute(
    timed_gateway: Gateway, tenant: Tenant, factory: Factory, clock: ManualClock
) -> None:
    assert _status(timed_gateway, AUTH_TOKEN) == 204
    set_tokens(factory, ACCOUNT, NEXT)
    clock.advance(29.9)
    assert _status(timed_gateway, AUTH_TOKEN) == 204
    clock.advance(0.1)
    assert _status(timed_gateway, AUTH_TOKEN) == 403
    assert _status(timed_gateway, NEXT) == 204


def test_only_known_accounts_are_kept_in_memory(
    database: Database, factory: Factory, tenant: Tenant, clock: ManualClock
) -> None:
    tokens = AccountTokens(database, factory.cipher, clock.clock())
    for place in range(50):
        assert tokens.kept(f"AC{place:032x}") == ()
    assert tokens.kept(ACCOUNT) == (AUTH_TOKEN,)
    assert list(tokens._kept) == [ACCOUNT]
