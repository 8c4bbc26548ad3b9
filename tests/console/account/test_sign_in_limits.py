"""Wrong passwords, codes and keys: how often, for whom, and what stays of them."""

import threading
from uuid import UUID

import pytest

from app.access.audit import AuditedChange
from app.access.principal import Role, mint_token
from app.access.tables import audit_events
from app.users import passwords
from app.users.manage import reset_user
from app.users.passwords import choose_password
from app.users.store import load_user
from app.users.tables import sessions, users
from support.console import ACTOR, PASSWORD, make_user, open_console
from support.factories import Factory, Gateway, Tenant
from support.time import ManualClock

pytestmark = pytest.mark.one_engine

WRONG = "wrong horse battery"
ADA = "ada@example.com"


@pytest.fixture
def ada(factory: Factory, tenant: Tenant) -> UUID:
    return make_user(factory, tenant.organization_id, {None: Role.OWNER})


def failures(factory: Factory) -> list[tuple[str | None, str]]:
    rows = sorted(factory.rows(audit_events), key=lambda row: row["id"])
    return [(r["target"], r["reason"]) for r in rows if r["action"] == "console.sign_in_failed"]


@pytest.mark.both_engines
def test_failed_attempts_elsewhere_do_not_lock_a_known_browser(
    gateway: Gateway, ada: UUID, clock: ManualClock
) -> None:
    """Let `_subjects` of app/users/sign_in.py ignore `known` to see this fail."""
    known = open_console(gateway)
    assert known.sign_in().status_code == 303
    known.post("/console/sign-out", on="/console")
    stranger = open_console(gateway)
    seen = [stranger.sign_in(password=WRONG).status_code for _ in range(8)]
    assert seen == [403] * 5 + [429] * 3
    assert stranger.sign_in().status_code == 429
    assert known.sign_in(password=WRONG).status_code == 403
    assert known.sign_in().status_code == 303
    elsewhere = open_console(gateway, "198.51.100.7")
    limited = elsewhere.sign_in()
    assert limited.status_code == 429  # the account's limit, whatever the address
    assert limited.headers["RateLimit-Policy"].startswith('"wrong-passwords";q=5;w=60')
    assert (
        limited.headers["RateLimit"] == f'"wrong-passwords";r=0;t={limited.headers["Retry-After"]}'
    )
    clock.advance(60)
    assert elsewhere.sign_in().status_code == 303


def test_known_browser_has_a_limit_of_its_own(gateway: Gateway, ada: UUID) -> None:
    known = open_console(gateway)
    known.sign_in()
    seen = [known.sign_in(password=WRONG).status_code for _ in range(21)]
    assert seen == [403] * 20 + [429]
    assert open_console(gateway).sign_in().status_code == 303


def test_browser_is_not_known_for_other_users_nor_after_a_reset(
    gateway: Gateway, factory: Factory, tenant: Tenant, ada: UUID, clock: ManualClock
) -> None:
    make_user(factory, tenant.organization_id, {None: Role.OWNER}, "bo@example.com")
    console = open_console(gateway)
    console.sign_in("bo@example.com")
    assert [console.sign_in(password=WRONG).status_code for _ in range(6)] == [403] * 5 + [429]
    other = open_console(gateway)
    assert [other.sign_in(password=WRONG).status_code for _ in range(2)] == [429] * 2
    clock.advance(120)
    console.sign_in()
    clock.advance(1)
    chosen = choose_password(PASSWORD, ADA)
    with factory.database.writing() as connection:
        user = load_user(connection, ada)
        assert user is not None
        reset_user(AuditedChange(connection, ACTOR, clock.at), user, chosen)
    assert [console.sign_in(password=WRONG).status_code for _ in range(6)] == [403] * 5 + [429]


def test_address_is_limited_over_all_accounts_known_or_not(gateway: Gateway, ada: UUID) -> None:
    """Leave out `from_address` in `_subjects` to see this fail."""
    console = open_console(gateway, "2001:db8::1")
    seen = []
    for n in range(22):
        console.address = f"2001:db8::{n + 1:x}"
        seen.append(console.sign_in(f"nobody{n}@example.com", WRONG).status_code)
    assert seen == [403] * 20 + [429] * 2
    assert open_console(gateway, "2001:db8:0:1::1").sign_in().status_code == 303


def test_forwarder_headers_change_no_address(gateway: Gateway, ada: UUID) -> None:
    console = open_console(gateway)
    seen = []
    for n in range(22):
        form = {"email": f"nobody{n}@example.com", "password": WRONG}
        headers = {"X-Forwarded-For": f"192.0.2.{n}", "Forwarded": f"for=192.0.2.{n}"}
        seen.append(console.post("/console/sign-in", form, headers=headers).status_code)
    assert seen == [403] * 20 + [429] * 2


def test_unknown_account_answers_like_a_known_one(gateway: Gateway, ada: UUID) -> None:
    def tried(email: str, address: str) -> list[tuple[int, str]]:
        console = open_console(gateway, address)
        answers = [console.sign_in(email, WRONG) for _ in range(6)]
        return [(one.status_code, one.headers.get("Retry-After", "")) for one in answers]

    assert tried(ADA, "192.0.2.1") == tried("nobody@example.com", "192.0.2.2")


@pytest.mark.both_engines
def test_forty_parallel_wrong_sign_ins_hash_two_at_a_time(
    gateway: Gateway, ada: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Call `_hasher.verify` outside of `_turn` to see this fail."""
    running, most, lock = 0, 0, threading.Lock()
    hasher = passwords._hasher

    class Watched:
        def verify(self, stored: str, given: str) -> bool:
            nonlocal running, most
            with lock:
                running += 1
                most = max(most, running)
            try:
                threading.Event().wait(0.02)
                return hasher.verify(stored, given)
            finally:
                with lock:
                    running -= 1

        def __getattr__(self, name: str) -> object:
            return getattr(hasher, name)

    monkeypatch.setattr(passwords, "_hasher", Watched())
    windows = [open_console(gateway, f"192.0.2.{n}") for n in range(40)]
    tokens = [console.token("/console/sign-in") for console in windows]
    seen: list[int] = []

    def attempt(place: int) -> None:
        form = {"email": f"user{place}@example.com", "password": WRONG}
        answer = windows[place].post("/console/sign-in", form | {"csrf_token": tokens[place]})
        seen.append(answer.status_code)

    threads = [threading.Thread(target=attempt, args=(place,)) for place in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most <= 2
    assert len(seen) == 40
    assert set(seen) <= {403, 429}, seen


def test_failures_are_audited_with_address_and_request_id(
    gateway: Gateway, factory: Factory, ada: UUID
) -> None:
    """Leave out `record_failed_sign_in` in `_refuse` to see this fail."""
    console = open_console(gateway, "192.0.2.7")
    headers = {"X-Request-Id": "find-me"}
    form = {"email": ADA, "password": WRONG}
    console.post("/console/sign-in", form, headers=headers)
    console.post("/console/sign-in", form | {"email": "nobody@example.com"}, headers=headers)
    expected_reason = "wrong password; address 192.0.2.7; request find-me"
    assert failures(factory) == [(str(ada), expected_reason), (None, expected_reason)]
    assert console.sign_in().status_code == 303
    assert "Sign-in failed" in console.get("/console/audit").text


def test_six_wrong_password_changes_stop_without_stopping_sends(
    gateway: Gateway, factory: Factory, tenant: Tenant, ada: UUID
) -> None:
    """Use no `attempts.begin` in `_check_password` to see this fail."""
    viewer = make_user(
        factory, tenant.organization_id, {tenant.workspace_id: Role.VIEWER}, "vi@example.com"
    )
    console = open_console(gateway)
    console.sign_in("vi@example.com")
    form = {"current_password": WRONG, "new_password": "another horse battery"}
    account = "/console/account"
    seen = [console.post(f"{account}/password", form, on=account).status_code for _ in range(6)]
    assert seen == [422] * 5 + [429]
    right = form | {"current_password": PASSWORD}
    assert console.post(f"{account}/password", right, on=account).status_code == 429
    assert [target for target, _ in failures(factory)] == [str(viewer)] * 5
    assert open_console(gateway).sign_in("vi@example.com").status_code == 303


def test_wrong_keys_of_one_address_are_limited_and_a_right_one_is_served(
    gateway: Gateway, tenant: Tenant, clock: ManualClock
) -> None:
    """Break: leave out `install_key_limits` in app/application.py."""
    right = tenant.keys[Role.VIEWER]

    def ask(token: str, address: str = "192.0.2.1") -> int:
        headers = {"Authorization": f"AccessKey {token}", "X-Forwarded-For": mint_token()}
        overrides = {"REMOTE_ADDR": address}
        answer = gateway.client.get("/v1/sms", headers=headers, environ_overrides=overrides)
        assert (answer.status_code == 429) == ("Retry-After" in answer.headers)
        if answer.status_code == 429:
            assert answer.headers["RateLimit-Policy"] == '"wrong-keys";q=20;w=60'
            assert answer.headers["RateLimit"].startswith('"wrong-keys";r=0;t=')
        return answer.status_code

    damaged, unknown = right[:-1] + "!", mint_token()
    assert [ask(damaged if n % 2 else unknown) for n in range(22)] == [401] * 20 + [429] * 2
    assert ask(right) == 200
    assert ask(unknown, "192.0.2.2") == 401
    console = open_console(gateway, "192.0.2.1")
    assert console.sign_in_by_key(unknown).status_code == 429
    assert console.sign_in_by_key(right).status_code == 303
    body = {
        "use_case_id": str(tenant.use_case_id),
        "to_phone_number": "+12025550123",
        "message": "x",
    }
    headers = {"Authorization": f"AccessKey {unknown}"}
    overrides = {"REMOTE_ADDR": "192.0.2.1"}
    sent = gateway.client.post("/v1/sms", json=body, headers=headers, environ_overrides=overrides)
    assert (sent.status_code, sent.get_json()["code"]) == (429, "RateLimited")
    clock.advance(60)
    assert ask(unknown) == 401


def test_session_and_form_token_are_new_at_sign_in(
    gateway: Gateway, factory: Factory, ada: UUID
) -> None:
    """Leave out `session.clear()` in `welcome` to see this fail."""
    console = open_console(gateway)
    before = console.token("/console/sign-in")
    console.sign_in()
    account = "/console/account"
    form = {"csrf_token": before}
    assert console.post(f"{account}/sessions/end", form, on=account).status_code == 400
    assert len(factory.rows(sessions)) == 1
    assert factory.rows(users)[0]["locked_until"] is None
