"""Linking a provider account: its tokens are proven, encrypted, rotated, and nobody takes another's."""

import json
import threading
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError
from twilio.http.response import Response

from app.access.accounts import FOREIGN, NEEDED, NOT_ACCEPTED, SHARED
from app.access.principal import Role
from app.access.tables import provider_accounts, workspaces
from app.destinations.geo_permissions.permissions import CountryPermission, GeoPermissions
from app.destinations.geo_permissions.store import replace_permissions
from app.destinations.tables import provider_permissions
from app.messages.reconciliation.refusing_accounts import record_refusing
from app.messages.tables import refusing_accounts
from app.providers.port import AccountRefused, ProviderAccount
from app.providers.twilio.transport import NotConfirmed, NotConnected, Throttled
from support.factories import ACCOUNT, AUTH_TOKEN, OTHER_ACCOUNT, Factory, Gateway, Tenant
from support.fake_twilio import Call, refused
from support.polling import PATIENCE_SECONDS
from support.replace_services import another_client
from support.tables import snapshot
from support.threads import together

pytestmark = pytest.mark.one_engine

NEW_ACCOUNT = "AC" + "9" * 32
NEW_TOKEN, THIRD_TOKEN = "7" * 32, "8" * 32


@dataclass
class Owner:
    """An owner of one workspace, or of its organization."""

    gateway: Gateway
    factory: Factory
    tenant: Tenant
    key: str

    def patch(self, twilio: Any) -> Any:
        return self.gateway.client.patch(
            f"/v1/workspaces/{self.tenant.workspace_id}",
            json={"twilio": twilio},
            headers={"Authorization": f"AccessKey {self.key}"},
        )

    def problems(self, twilio: Any) -> Any:
        before = snapshot(self.factory.database)
        answer = self.patch(twilio)
        assert answer.status_code == 422, answer.text
        assert snapshot(self.factory.database) == before
        return answer.get_json()["details"]

    def tokens(self, sid: str) -> tuple[str | None, str | None]:
        row = self.factory.rows(provider_accounts, sid=sid)[0]
        encrypted = row["auth_token"], row["next_auth_token"]
        current, following = (s and self.factory.cipher.decrypt(sid, s) for s in encrypted)
        return current, following

    def audit_trail(self) -> list[tuple[str, str, str]]:
        return self.factory.audit_trail("action", "target", "reason")


@pytest.fixture
def owner(gateway: Gateway, factory: Factory) -> Owner:
    """The owner of a workspace whose account nobody else uses; on each engine."""
    tenant = factory.tenant(factory.organization())
    return Owner(gateway, factory, tenant, tenant.keys[Role.OWNER])


def an_owner(owner: Owner, name: str, account_sid: str) -> Owner:
    """An owner of a workspace of another organization."""
    tenant = owner.factory.tenant(owner.factory.organization(name), account_sid=account_sid)
    return replace(owner, tenant=tenant, key=tenant.keys[Role.OWNER])


def replace_permissions_of(factory: Factory, account_sid: str) -> None:
    with factory.database.writing() as c:
        replace_permissions(
            c, account_sid, GeoPermissions({"US": CountryPermission(is_open=True)}), factory.now
        )


def raise_(problem: Exception) -> Response:
    raise problem


def test_new_account_is_encrypted_and_never_shown(owner: Owner) -> None:
    answer = owner.patch({"account_sid": NEW_ACCOUNT, "auth_token": NEW_TOKEN})
    assert (answer.status_code, answer.get_json()["account_sid"]) == (200, NEW_ACCOUNT)
    assert owner.tokens(NEW_ACCOUNT) == (NEW_TOKEN, None)
    assert NEW_TOKEN not in str(owner.factory.rows(provider_accounts))
    assert NEW_TOKEN not in answer.text
    workspace_id = str(owner.tenant.workspace_id)
    assert owner.audit_trail() == [
        ("provider_account.created", NEW_ACCOUNT, "auth_token"),
        ("workspace.changed", workspace_id, "account_sid"),
        ("provider_account.forgotten", ACCOUNT, None),
    ]


@pytest.mark.both_engines
def test_a_token_is_rotated_step_by_step(owner: Owner) -> None:
    assert owner.patch({"next_auth_token": NEW_TOKEN}).status_code == 200
    assert owner.tokens(ACCOUNT) == (AUTH_TOKEN, NEW_TOKEN)
    promoted = {"auth_token": NEW_TOKEN, "next_auth_token": None}
    for _ in range(2):
        assert owner.patch(promoted).status_code == 200
        assert owner.tokens(ACCOUNT) == (NEW_TOKEN, None)
    assert owner.audit_trail() == [
        ("provider_account.changed", ACCOUNT, "next_auth_token"),
        ("provider_account.changed", ACCOUNT, "auth_token, next_auth_token"),
    ]


def test_unlinked_account_is_deleted_with_its_tokens(owner: Owner) -> None:
    """Fails without `forget_unused_account` in `change_workspace`."""
    replace_permissions_of(owner.factory, ACCOUNT)
    with owner.factory.database.writing() as connection:
        account, refused = ProviderAccount(ACCOUNT, "encrypted"), AccountRefused("why", 20003)
        record_refusing(connection, account, refused, None, owner.factory.now)
    assert owner.patch(None).get_json()["account_sid"] is None
    assert owner.factory.rows(provider_accounts) == []
    assert owner.factory.rows(provider_permissions) == []
    assert owner.factory.rows(refusing_accounts) == []
    assert ("provider_account.forgotten", ACCOUNT, None) in owner.audit_trail()
    needed = {"$.twilio.account_sid": ["Is needed: the workspace has no account."]}
    assert owner.problems({"auth_token": NEW_TOKEN}) == needed
    assert owner.problems({"account_sid": ACCOUNT}) == {"$.twilio.auth_token": [NEEDED]}


def test_an_account_stays_while_a_sibling_uses_it(owner: Owner) -> None:
    sibling = owner.factory.tenant(owner.tenant.organization_id, "Sibling")
    owner.patch(None)
    assert owner.tokens(ACCOUNT) == (AUTH_TOKEN, None)
    assert owner.gateway.send(sibling).status_code == 201


def test_deleted_account_is_linked_by_its_real_owner(owner: Owner) -> None:
    """Every way by which an organization leaves an account: unlinking, and moving to another."""
    other = an_owner(owner, "Other", OTHER_ACCOUNT)
    for leave in (None, {"account_sid": NEW_ACCOUNT, "auth_token": NEW_TOKEN}):
        assert owner.patch({"account_sid": ACCOUNT, "auth_token": AUTH_TOKEN}).status_code == 200
        taken = {"account_sid": ACCOUNT, "auth_token": THIRD_TOKEN}
        assert other.problems(taken) == {"$.twilio.account_sid": [FOREIGN]}
        assert owner.patch(leave).status_code == 200
        assert other.patch(taken).status_code == 200
        assert other.tokens(ACCOUNT) == (THIRD_TOKEN, None)
        assert other.patch(None).status_code == 200


def test_a_new_token_is_proven_at_twilio_before_anything_is_written(owner: Owner) -> None:
    """Fails without `_prove`: a junk token was stored and blocked the account's owner."""
    twilio, sent = owner.gateway.twilio, owner.gateway.twilio.proofs
    link = {"account_sid": NEW_ACCOUNT, "auth_token": NEW_TOKEN}
    rotate = {"auth_token": THIRD_TOKEN}
    follow = {"next_auth_token": THIRD_TOKEN}
    for status in (401, 403, 404):
        twilio.account = lambda *_, status=status: refused(20003, status)
        for wanted in (link, rotate):
            assert owner.problems(wanted) == {"$.twilio.auth_token": [NOT_ACCEPTED]}
        assert owner.problems(follow) == {"$.twilio.next_auth_token": [NOT_ACCEPTED]}
    of_own = (ACCOUNT, THIRD_TOKEN)
    assert sent == [(NEW_ACCOUNT, NEW_TOKEN), of_own, of_own] * 3
    twilio.account = lambda _, token: (
        refused(20003, 401) if token == THIRD_TOKEN else Response(200, json.dumps({"sid": ACCOUNT}))
    )
    both = {"auth_token": NEW_TOKEN, "next_auth_token": THIRD_TOKEN}
    assert owner.problems(both) == {"$.twilio.next_auth_token": [NOT_ACCEPTED]}
    twilio.account = None
    assert owner.patch(link).status_code == 200
    assert owner.tokens(NEW_ACCOUNT) == (NEW_TOKEN, None)


NOT_ASKED = [
    lambda *_: refused(20429, 429),
    lambda *_: refused(20500, 500),
    lambda *_: Response(503, "<html>"),
    lambda *_: Response(200, "<html>"),
    lambda *_: Response(200, "[]"),
    lambda *_: Response(200, "null"),
    lambda *_: Response(200, "{}"),
    lambda *_: Response(200, '{"sid": "AC0"}'),
    lambda *_: Response(302, ""),
    lambda *_: raise_(NotConnected("x")),
    lambda *_: raise_(NotConfirmed("x")),
    lambda *_: raise_(Throttled(3)),
]


def test_nothing_is_linked_while_twilio_cannot_be_asked(owner: Owner) -> None:
    before = snapshot(owner.factory.database)
    for place, answer in enumerate(NOT_ASKED):
        owner.gateway.twilio.account = answer
        for wanted in (
            {"account_sid": NEW_ACCOUNT, "auth_token": NEW_TOKEN},
            {"auth_token": NEW_TOKEN},
            {"next_auth_token": NEW_TOKEN},
        ):
            found = owner.patch(wanted)
            assert (found.status_code, found.get_json()["code"]) == (503, "ProviderUnavailable")
            assert 1 <= int(found.headers["Retry-After"]) <= 3600, place
    organization_key = owner.factory.keys(owner.tenant.organization_id, None)[Role.OWNER]
    twilio = {"account_sid": NEW_ACCOUNT, "auth_token": NEW_TOKEN}
    body = {"name": "New", "home_country": "US", "twilio": twilio}
    made = owner.gateway.post("/v1/workspaces", body, key=organization_key)
    assert made.status_code == 503
    assert len(owner.factory.rows(workspaces)) == 1
    assert snapshot(owner.factory.database)["provider_accounts"] == before["provider_accounts"]


def test_no_transaction_is_open_while_twilio_is_asked(owner: Owner) -> None:
    """Fails where the proof moves into the transaction: on SQLite the send finds it locked."""

    def answer(sid: str, _: str) -> Response:
        other = another_client(owner.gateway)
        assert other.send(owner.tenant).status_code == 201
        return Response(200, json.dumps({"sid": sid}))

    owner.gateway.twilio.account = answer
    assert owner.patch({"account_sid": NEW_ACCOUNT, "auth_token": NEW_TOKEN}).status_code == 200


def test_proofs_that_hang_leave_the_threads_to_callbacks(owner: Owner) -> None:
    """Fails without the bound on proofs: each of them holds a thread for seconds."""
    asked: list[str] = []
    inner: list[int] = []

    def answer(sid: str, token: str) -> Response:
        asked.append(token)
        if len(asked) < 3:
            other = replace(owner, gateway=another_client(owner.gateway))
            inner.append(other.patch({"auth_token": THIRD_TOKEN}).status_code)
        return Response(200, json.dumps({"sid": sid}))

    owner.gateway.twilio.account = answer
    owner.patch({"auth_token": NEW_TOKEN})
    assert inner == [429, 200]


def test_another_organizations_account_shows_only_to_a_caller_who_proves_it(owner: Owner) -> None:
    other = an_owner(owner, "Other", OTHER_ACCOUNT)
    owner.gateway.twilio.account = lambda *_: refused(20003, 401)
    for wanted in ({}, {"auth_token": NEW_TOKEN}, {"auth_token": AUTH_TOKEN}):
        both = [
            owner.problems({"account_sid": sid} | wanted) for sid in (OTHER_ACCOUNT, NEW_ACCOUNT)
        ]
        assert both[0] == both[1], wanted
    owner.gateway.twilio.account = None
    proven = {"account_sid": OTHER_ACCOUNT, "auth_token": AUTH_TOKEN}
    assert owner.problems(proven) == {"$.twilio.account_sid": [FOREIGN]}
    assert other.tokens(OTHER_ACCOUNT) == (AUTH_TOKEN, None)
    assert owner.gateway.send(other.tenant).status_code == 201


@pytest.mark.both_engines
def test_the_database_refuses_a_workspace_on_another_organizations_account(owner: Owner) -> None:
    """Fails without the foreign key over both columns: the last guard of every writer."""
    an_owner(owner, "Other", OTHER_ACCOUNT)
    with pytest.raises(IntegrityError):
        owner.factory.set(workspaces, owner.tenant.workspace_id, account_sid=OTHER_ACCOUNT)


@pytest.mark.both_engines
def test_one_of_two_organizations_linking_one_account_wins(owner: Owner) -> None:
    """Fails where `write_account` lets the unique key's error escape."""
    owners = [owner, an_owner(owner, "Other", OTHER_ACCOUNT)]
    both_proven = threading.Barrier(2)

    def answer(sid: str, _: str) -> Response:
        both_proven.wait(PATIENCE_SECONDS)
        return Response(200, json.dumps({"sid": sid}))

    owner.gateway.twilio.account = answer

    def link(who: Owner) -> Any:
        own = replace(who, gateway=another_client(who.gateway))
        return own.patch({"account_sid": NEW_ACCOUNT, "auth_token": NEW_TOKEN})

    found = together([partial(link, who) for who in owners])
    by_status = {answer.status_code: answer for answer in found}
    assert set(by_status) == {200, 422}
    assert by_status[422].get_json()["details"] == {"$.twilio.account_sid": [FOREIGN]}
    (row,) = owner.factory.rows(provider_accounts, sid=NEW_ACCOUNT)
    users = owner.factory.rows(workspaces, account_sid=NEW_ACCOUNT)
    assert [user["organization_id"] for user in users] == [row["organization_id"]]


def test_refusal_of_a_deleted_account_is_no_failure(owner: Owner) -> None:
    """A 21408 that arrives after the unlinking has nothing to be kept for."""

    def answer(_: Call) -> Response:
        assert replace(owner, gateway=another_client(owner.gateway)).patch(None).status_code == 200
        return refused(21408)

    owner.gateway.twilio.script.append(answer)
    assert owner.gateway.send(owner.tenant).get_json()["code"] == "DestinationBlocked"


def test_another_case_of_an_account_is_the_same_account(owner: Owner) -> None:
    """Breaks when two spellings are two accounts: let `canonical_sid` return its text."""
    sid, shout = "AC" + "ab" * 16, "AC" + "AB" * 16
    other = an_owner(owner, "Other", OTHER_ACCOUNT)
    assert owner.patch({"account_sid": shout, "auth_token": NEW_TOKEN}).json["account_sid"] == sid
    assert owner.gateway.twilio.proofs == [(sid, NEW_TOKEN)]
    for spelling in (sid, shout):
        taken = {"account_sid": spelling, "auth_token": NEW_TOKEN}
        assert other.problems(taken) == {"$.twilio.account_sid": [FOREIGN]}
        assert owner.patch({"account_sid": spelling}).status_code == 200
    sent = owner.gateway.send(owner.tenant).json
    assert owner.gateway.twilio.calls[0].auth == (sid, NEW_TOKEN)
    for spelling, status in ((shout, "sent"), (sid, "delivered")):
        answer = owner.gateway.callback(
            sent["id"], sent["message_sid"], status, token=NEW_TOKEN, account_sid=spelling
        )
        assert answer.status_code == 204
        assert owner.gateway.get(f"/v1/sms/{sent['id']}", key=owner.key).json["status"] == status


def test_callbacks_of_a_deleted_account_are_refused(owner: Owner) -> None:
    sent = owner.gateway.send(owner.tenant).get_json()
    owner.patch(None)
    owner.gateway.services.callbacks.tokens.fresh(ACCOUNT)
    answer = owner.gateway.callback(sent["id"], "SM" + f"{1:032x}", "delivered")
    assert answer.status_code == 403


@pytest.mark.both_engines
def test_siblings_share_an_account_and_their_owner_alone_changes_its_tokens(owner: Owner) -> None:
    sibling = owner.factory.tenant(owner.tenant.organization_id, "Sibling")
    assert owner.problems({"auth_token": NEW_TOKEN}) == {"$.twilio.auth_token": [SHARED]}
    owner.key = owner.factory.keys(owner.tenant.organization_id, None)[Role.OWNER]
    assert owner.patch({"auth_token": NEW_TOKEN}).status_code == 200
    assert owner.tokens(ACCOUNT) == (NEW_TOKEN, None)
    assert sibling.account_sid == ACCOUNT


@pytest.mark.parametrize(
    ("twilio", "places"),
    [
        ({"account_sid": "AC1"}, {"$.twilio.account_sid"}),
        ({"account_sid": ACCOUNT + "\n"}, {"$.twilio.account_sid"}),
        ({"account_sid": None}, {"$.twilio.account_sid"}),
        ({"auth_token": None}, {"$.twilio.auth_token"}),
        ({"auth_token": "with space"}, {"$.twilio.auth_token"}),
        ({"next_auth_token": ""}, {"$.twilio.next_auth_token"}),
        ({"sid": ACCOUNT}, {"$.twilio.sid"}),
        ("AC", {"$.twilio"}),
    ],
)
def test_a_wrong_account_is_refused_by_name(owner: Owner, twilio: Any, places: set[str]) -> None:
    assert owner.problems(twilio).keys() == places
