"""The second factor: who may set, replace and remove it, and what counts as a code."""

import re
from typing import Any

import pyotp
import pytest
from werkzeug.test import TestResponse

from app.access.principal import Role
from app.access.tables import audit_events
from app.users.tables import recovery_codes, sessions, users
from support.console import PASSWORD, Console, open_console, signed_in_user
from support.factories import Factory, Gateway, Tenant
from support.time import ManualClock

pytestmark = pytest.mark.one_engine

ACCOUNT = "/console/account"
FACTOR = ACCOUNT + "/second-factor"
START, REMOVE = FACTOR + "/start", FACTOR + "/remove"
RECOVERY = ACCOUNT + "/recovery-codes"
CODE = "/console/sign-in/code"
NONSENSE = ["", "12", "000000", "abc", "\uff11\uff12", "\x00", "💥", "9" * 500, "-" * 50]


@pytest.fixture
def console(gateway: Gateway, factory: Factory, tenant: Tenant) -> Console:
    return signed_in_user(
        gateway, factory, tenant.organization_id, {tenant.workspace_id: Role.ADMIN}
    )


def post(console: Console, path: str, **form: str) -> TestResponse:
    return console.post(path, form, on=ACCOUNT)


def secret_in(page: str) -> str:
    found = re.search(r"Secret: <code>(\w+)</code>", page)
    assert found is not None, page
    return found.group(1)


def codes_in(page: str) -> list[str]:
    return re.findall(r"<li><code>([a-z2-7-]{19})</code></li>", page)


def set_up(console: Console, clock: ManualClock, **form: str) -> tuple[str, list[str]]:
    secret = secret_in(post(console, START, password=PASSWORD, **form).text)
    answer = post(console, FACTOR, code=pyotp.TOTP(secret).at(clock.at))
    assert answer.status_code == 200, answer.text
    codes = codes_in(answer.text)
    clock.advance(60)
    return secret, codes


def user(factory: Factory) -> dict[str, Any]:
    return factory.rows(users)[0]


def test_setup_needs_the_password_and_ignores_a_secret_in_the_form(
    console: Console, factory: Factory, clock: ManualClock
) -> None:
    """Let `start_second_factor` skip `_prove` to see this fail."""
    for wrong in ("", "wrong horse battery"):
        answer = post(console, START, password=wrong)
        assert (answer.status_code, "Is not your password." in answer.text) == (422, True)
    page = post(console, START, password=PASSWORD).text
    secret = secret_in(page)
    assert 'name="secret"' not in page
    assert user(factory)["totp_secret"] is None
    assert secret not in str(factory.rows(sessions))
    strange = pyotp.random_base32()
    answer = post(console, FACTOR, secret=strange, code=pyotp.TOTP(strange).at(clock.at))
    assert (answer.status_code, secret in answer.text) == (422, True)
    answer = post(console, FACTOR, code=pyotp.TOTP(secret).at(clock.at))
    assert (answer.status_code, len(set(codes_in(answer.text)))) == (200, 10)
    assert secret not in str(user(factory))
    assert "10 recovery codes left" in console.get(ACCOUNT).text
    assert all(code not in str(factory.rows(recovery_codes)) for code in codes_in(answer.text))


def test_pending_secret_is_the_sessions_own_and_ends(
    gateway: Gateway, console: Console, clock: ManualClock
) -> None:
    secret = secret_in(post(console, START, password=PASSWORD).text)
    other = open_console(gateway)
    other.sign_in()
    assert post(other, FACTOR, code=pyotp.TOTP(secret).at(clock.at)).status_code == 422
    clock.advance(600)
    answer = post(console, FACTOR, code=pyotp.TOTP(secret).at(clock.at))
    assert (answer.status_code, "took too long" in answer.text) == (422, True)


def test_nonsense_is_422_and_never_500(console: Console, clock: ManualClock) -> None:
    for text in NONSENSE:
        assert post(console, FACTOR, secret=text, code=text).status_code == 422, text
    post(console, START, password=PASSWORD)
    for text in NONSENSE:
        assert post(console, FACTOR, secret=text, code=text).status_code == 422, text
    set_up(console, clock)
    for text in NONSENSE:
        for path in (START, REMOVE, RECOVERY):
            answer = post(console, path, password=PASSWORD, code=text)
            assert answer.status_code in {422, 429}, (path, text)
        clock.advance(1800)
        console.get(ACCOUNT)


def test_replacing_and_removing_need_password_and_code(
    console: Console, factory: Factory, clock: ManualClock
) -> None:
    """Let `_change` skip `use_code` to see this fail."""
    secret, codes = set_up(console, clock)
    right = pyotp.TOTP(secret).at(clock.at)
    for path in (START, REMOVE, RECOVERY):
        for form in ({"password": PASSWORD}, {"code": right}, {"password": "wrong", "code": right}):
            assert post(console, path, **form).status_code == 422, (path, form)
        clock.advance(1200)
        console.get(ACCOUNT)
        right = pyotp.TOTP(secret).at(clock.at)
    assert pyotp.TOTP(secret).verify(right, for_time=clock.at)
    newer, _ = set_up(console, clock, code=right)
    assert newer != secret
    stale = post(console, REMOVE, password=PASSWORD, code=codes[0])
    assert stale.status_code == 422
    code = pyotp.TOTP(newer).at(clock.at)
    assert post(console, REMOVE, password=PASSWORD, code=code).status_code == 303
    assert user(factory)["totp_secret"] is None
    assert factory.rows(recovery_codes) == []


@pytest.mark.both_engines
def test_recovery_code_lets_in_once_and_is_audited(
    gateway: Gateway, console: Console, factory: Factory, clock: ManualClock
) -> None:
    """Leave out `used_at.is_(None)` in `use_code` to see this fail."""
    _, codes = set_up(console, clock)
    typed = codes[3].upper().replace("-", " ")
    for status in (303, 403):
        other = open_console(gateway)
        assert other.sign_in().headers["Location"] == CODE
        assert other.post(CODE, {"code": typed}).status_code == status
    assert "9 recovery codes left" in console.get(ACCOUNT).text
    assert "user.recovery_code_used" in [row["action"] for row in factory.rows(audit_events)]
    answer = post(console, RECOVERY, password=PASSWORD, code=codes[4])
    renewed = codes_in(answer.text)
    assert (len(renewed), set(renewed) & set(codes)) == (10, set())
    other = open_console(gateway)
    other.sign_in()
    assert other.post(CODE, {"code": codes[5]}).status_code == 403
    assert other.post(CODE, {"code": renewed[0]}).status_code == 303


@pytest.mark.both_engines
def test_each_code_works_once_for_any_purpose(
    gateway: Gateway, console: Console, clock: ManualClock
) -> None:
    secret, _ = set_up(console, clock)
    code = pyotp.TOTP(secret).at(clock.at)
    assert post(console, RECOVERY, password=PASSWORD, code=code).status_code == 200
    other = open_console(gateway)
    other.sign_in()
    assert other.post(CODE, {"code": code}).status_code == 403
    assert post(console, REMOVE, password=PASSWORD, code=code).status_code == 422


def test_wrong_codes_are_limited_though_the_password_is_right(
    gateway: Gateway, console: Console, clock: ManualClock
) -> None:
    """Forget the account's failures in the half-way step to see this fail."""
    secret, _ = set_up(console, clock)
    seen = []
    for n in range(6):
        stranger = open_console(gateway, f"192.0.2.{n}")
        seen.append(stranger.sign_in().status_code)
        if seen[-1] == 303:
            seen.append(stranger.post(CODE, {"code": "12"}).status_code)
    assert seen == [303, 403] * 5 + [429]
    known = open_console(gateway)
    known.client = console.client
    console.post("/console/sign-out", on="/console")
    known.sign_in()
    code = pyotp.TOTP(secret).at(clock.at)
    assert known.post(CODE, {"code": code}).status_code == 303
