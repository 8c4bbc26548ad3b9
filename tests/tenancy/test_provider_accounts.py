"""Linking a provider account: its tokens are sealed, rotated, and nobody takes another's."""

from dataclasses import dataclass
from typing import Any

import pytest

from app.access.accounts import NEEDED, SHARED, WRONG
from app.access.roles import Role
from app.access.tables import audit_events, provider_accounts
from support.tables import snapshot
from support.world import ACCOUNT, AUTH_TOKEN, OTHER_ACCOUNT, Gateway, Tenant, World

NEW_ACCOUNT = "AC" + "9" * 32
NEW_TOKEN, THIRD_TOKEN = "7" * 32, "8" * 32


@dataclass
class Owner:
    """An owner of one workspace, or of its organization."""

    gateway: Gateway
    world: World
    tenant: Tenant
    key: str

    def patch(self, twilio: Any) -> Any:
        return self.gateway.client.patch(
            f"/v1/workspaces/{self.tenant.workspace_id}",
            json={"twilio": twilio},
            headers={"Authorization": f"AccessKey {self.key}"},
        )

    def problems(self, twilio: Any) -> Any:
        before = snapshot(self.world.database)
        answer = self.patch(twilio)
        assert answer.status_code == 422, answer.text
        assert snapshot(self.world.database) == before
        return answer.get_json()["details"]

    def tokens(self, sid: str) -> tuple[str | None, str | None]:
        row = next(row for row in self.world.rows(provider_accounts) if row["sid"] == sid)
        sealed = row["auth_token"], row["next_auth_token"]
        current, following = (s and self.world.vault.open(sid, s) for s in sealed)
        return current, following

    def deeds(self) -> list[tuple[str, str, str]]:
        rows = sorted(self.world.rows(audit_events), key=lambda row: str(row["id"]))
        return [(row["action"], row["target"], row["reason"]) for row in rows]


@pytest.fixture
def owner(gateway: Gateway, world: World) -> Owner:
    """The owner of a workspace whose account nobody else uses; on each engine."""
    tenant = world.tenant(world.organization())
    return Owner(gateway, world, tenant, tenant.keys[Role.OWNER])


def test_a_new_account_is_sealed_and_never_shown(owner: Owner) -> None:
    answer = owner.patch({"account_sid": NEW_ACCOUNT, "auth_token": NEW_TOKEN})
    assert (answer.status_code, answer.get_json()["account_sid"]) == (200, NEW_ACCOUNT)
    assert owner.tokens(NEW_ACCOUNT) == (NEW_TOKEN, None)
    assert NEW_TOKEN not in str(owner.world.rows(provider_accounts))
    assert NEW_TOKEN not in answer.text
    workspace_id = str(owner.tenant.workspace_id)
    assert owner.deeds() == [
        ("provider_account.created", NEW_ACCOUNT, "auth_token"),
        ("workspace.changed", workspace_id, "account_sid"),
    ]


def test_a_token_is_rotated_step_by_step(owner: Owner) -> None:
    assert owner.patch({"next_auth_token": NEW_TOKEN}).status_code == 200
    assert owner.tokens(ACCOUNT) == (AUTH_TOKEN, NEW_TOKEN)
    promoted = {"auth_token": NEW_TOKEN, "next_auth_token": None}
    for _ in range(2):
        assert owner.patch(promoted).status_code == 200
        assert owner.tokens(ACCOUNT) == (NEW_TOKEN, None)
    assert owner.deeds() == [
        ("provider_account.changed", ACCOUNT, "next_auth_token"),
        ("provider_account.changed", ACCOUNT, "auth_token, next_auth_token"),
    ]


def test_an_account_is_taken_off_a_workspace_and_stays_another_s(owner: Owner) -> None:
    assert owner.patch(None).get_json()["account_sid"] is None
    assert owner.tokens(ACCOUNT) == (AUTH_TOKEN, None)
    needed = {"$.twilio.account_sid": ["Is needed: the workspace has no account."]}
    assert owner.problems({"auth_token": NEW_TOKEN}) == needed


def test_the_account_of_another_tenant_takes_the_knowledge_of_its_token(owner: Owner) -> None:
    other = owner.world.tenant(owner.world.organization("Other"), account_sid=OTHER_ACCOUNT)
    absent = owner.problems({"account_sid": NEW_ACCOUNT})
    assert owner.problems({"account_sid": OTHER_ACCOUNT}) == absent
    assert absent == {"$.twilio.auth_token": [NEEDED]}
    guess = {"account_sid": OTHER_ACCOUNT, "auth_token": NEW_TOKEN, "next_auth_token": THIRD_TOKEN}
    assert owner.problems(guess) == {
        "$.twilio.auth_token": [WRONG],
        "$.twilio.next_auth_token": [SHARED],
    }
    known = {"account_sid": OTHER_ACCOUNT, "auth_token": AUTH_TOKEN}
    assert owner.patch(known).status_code == 200
    assert owner.problems({"auth_token": NEW_TOKEN}) == {"$.twilio.auth_token": [SHARED]}
    assert owner.problems({"next_auth_token": NEW_TOKEN}) == {"$.twilio.next_auth_token": [SHARED]}
    assert owner.tokens(OTHER_ACCOUNT) == (AUTH_TOKEN, None)
    assert owner.gateway.send(other).status_code == 201


def test_an_account_that_nobody_uses_takes_it_too(owner: Owner) -> None:
    owner.patch(None)
    guess = {"account_sid": ACCOUNT, "auth_token": NEW_TOKEN}
    assert owner.problems(guess) == {"$.twilio.auth_token": [WRONG]}
    assert owner.patch({"account_sid": ACCOUNT, "auth_token": AUTH_TOKEN}).status_code == 200


def test_siblings_share_an_account_and_their_owner_alone_changes_its_tokens(owner: Owner) -> None:
    sibling = owner.world.tenant(owner.tenant.organization_id, "Sibling")
    assert owner.problems({"auth_token": NEW_TOKEN}) == {"$.twilio.auth_token": [SHARED]}
    owner.key = owner.world.keys(owner.tenant.organization_id, None)[Role.OWNER]
    assert owner.patch({"auth_token": NEW_TOKEN}).status_code == 200
    assert owner.tokens(ACCOUNT) == (NEW_TOKEN, None)
    assert sibling.account_sid == ACCOUNT


@pytest.mark.one_engine
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
@pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)
def test_a_wrong_account_is_refused_by_name(owner: Owner, twilio: Any, places: set[str]) -> None:
    assert owner.problems(twilio).keys() == places
