"""Sign-ins at the same time, on each engine: what counts once counts once."""

from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pyotp
import pytest
import urllib3

from app.access.principal import Role
from app.access.tables import audit_events
from app.db.encryption import Cipher
from app.db.engine import Database
from app.settings import IdentityProviderSettings
from app.users.caller import Caller
from app.users.identity_sign_in import Identity
from app.users.sign_in import SignInRefused
from app.users.tables import recovery_codes, sessions, users
from console.account.test_second_factor import CODE, RECOVERY, post, set_up
from support.console import PASSWORD, Console, open_console, signed_in_user
from support.factories import Factory, Gateway, Tenant, open_gateway
from support.identity_provider import CLIENT_ID, CLIENT_SECRET, Provider
from support.threads import together
from support.time import ManualClock

AT_ONCE = 4
THERE = "/console/sign-in/oidc"


@pytest.fixture
def gateway(
    database: Database, cipher: Cipher, tmp_path: Path, clock: ManualClock, provider: Provider
) -> Gateway:
    settings = IdentityProviderSettings(provider.url, CLIENT_ID, CLIENT_SECRET)
    return open_gateway(database, cipher, tmp_path, clock=clock.clock(), identity_provider=settings)


@pytest.fixture
def console(gateway: Gateway, factory: Factory, tenant: Tenant) -> Console:
    return signed_in_user(
        gateway, factory, tenant.organization_id, {tenant.workspace_id: Role.ADMIN}
    )


def half_way(gateway: Gateway) -> Console:
    """A window whose password was right and whose code is still asked for."""
    console = open_console(gateway)
    assert console.sign_in().headers["Location"] == CODE
    return console


def statuses(windows: list[Console], code: str) -> list[int]:
    forms = [(console, {"csrf_token": console.token(CODE), "code": code}) for console in windows]
    work = [
        partial(console.client.post, CODE, base_url="https://sms.example.com", data=form)
        for console, form in forms
    ]
    return sorted(answer.status_code for answer in together(work))


def test_a_code_and_a_recovery_code_used_concurrently_sign_in_once(
    gateway: Gateway, console: Console, factory: Factory, clock: ManualClock
) -> None:
    """Break: in `app/users/store.py`, leave `with_for_update` out of `load_user`."""
    secret, codes = set_up(console, clock)
    for code in (pyotp.TOTP(secret).at(clock.at), codes[0]):
        refused = [403] * (AT_ONCE - 1)
        assert statuses([half_way(gateway) for _ in range(AT_ONCE)], code) == [303, *refused]
        clock.advance(3700)
        console.sign_in()
    used = [row for row in factory.rows(recovery_codes) if row["used_at"] is not None]
    assert len(used) == 1
    noted = [row["action"] for row in factory.rows(audit_events)]
    assert noted.count("user.recovery_code_used") == 1


def test_a_recovery_code_used_concurrently_in_the_account_works_once(
    gateway: Gateway, console: Console, factory: Factory, clock: ManualClock
) -> None:
    """Break: in `app/access/attempts.py`, let `_add_rows` do nothing about rows that are there."""
    _, codes = set_up(console, clock)
    others = [console]
    for code in codes[: AT_ONCE - 1]:
        others.append(half_way(gateway))
        others[-1].post(CODE, {"code": code})
    form = {"password": PASSWORD, "code": codes[-1]}
    answers = together([partial(post, one, RECOVERY, **form) for one in others])
    found = [answer.status_code for answer in answers]
    # A third hash at the same time is turned away before it begins.
    assert (found.count(200), set(found) <= {200, 422, 429}) == (1, True), found
    noted = [row["action"] for row in factory.rows(audit_events)]
    assert noted.count("user.recovery_codes_made") == 1


def test_concurrent_first_sign_ins_at_the_identity_provider_pin_once(
    gateway: Gateway, console: Console, factory: Factory
) -> None:
    """Break: in `IdentitySignIn.by_identity`, leave out `_is_theirs`."""
    windows = [open_console(gateway) for _ in range(2)]
    backs = []
    for one in windows:
        there = one.get(THERE).headers["Location"]
        answer = urllib3.request("GET", there, redirect=False, retries=False)
        back = urlsplit(answer.headers["Location"])
        backs.append(f"{back.path}?{back.query}")
    work = [partial(one.get, back) for one, back in zip(windows, backs, strict=True)]
    answers = together(work)
    assert [answer.status_code for answer in answers] == [303, 303]
    for answer in answers:
        names = {
            text.partition("=")[0]: set(text.split("; ")[1:])
            for text in answer.headers.getlist("Set-Cookie")
        }
        assert all(name.startswith("__Host-") for name in names), names
        assert all({"Secure", "HttpOnly", "Path=/"} <= parts for parts in names.values())
        assert not any(part.startswith("Domain") for parts in names.values() for part in parts)
    noted = [row["action"] for row in factory.rows(audit_events)]
    assert noted.count("user.identity_pinned") == 1
    assert len({row["id"] for row in factory.rows(sessions)}) == 3


def test_of_two_concurrent_identities_with_one_address_one_gets_the_account(
    gateway: Gateway, console: Console, factory: Factory
) -> None:
    operation = gateway.services.identity_sign_in
    browser = gateway.services.known_browsers.read(None)

    def sign_in(subject: str) -> bool:
        identity = Identity("https://id.example.com", subject, "ada@example.com")
        try:
            operation.by_identity(identity, Caller("192.0.2.1", "192.0.2.1", "a", browser))
        except SignInRefused:
            return False
        return True

    let_in = together([partial(sign_in, f"subject {place}") for place in range(AT_ONCE)])
    assert sum(let_in) == 1
    (row,) = factory.rows(users)
    assert row["identity_subject"] == f"subject {let_in.index(True)}"
