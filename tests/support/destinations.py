"""Asking about and changing the destinations of one workspace over HTTP, as its owner does."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select, update

from app.access.principal import Role
from app.access.tables import workspaces
from app.db.engine import Database
from app.destinations.tables import destination_rules
from app.kernel.clock import rfc3339, utc_now
from app.kernel.ids import new_id
from support.factories import Factory, Gateway, Tenant

KEYS = {"organizationId", "workspaceId", "capabilityName", "destinations", "createdAt", "updatedAt"}
FAR = rfc3339(utc_now() + timedelta(days=3650))


def path_of(workspace_id: UUID | str, capability: str = "sms") -> str:
    return f"/workspaces/{workspace_id}/destination-management/capability/{capability}"


@dataclass(frozen=True)
class PolicyClient:
    """Where one workspace's destinations are managed; `role` says whose key is used."""

    gateway: Gateway
    tenant: Tenant
    factory: Factory
    role: Role = Role.ADMIN
    dry_run: bool = False

    @property
    def path(self) -> str:
        return path_of(self.tenant.workspace_id)

    def of(self, tenant: Tenant) -> "PolicyClient":
        """The desk of another workspace."""
        return replace(self, tenant=tenant)

    def a_colleague(self, **values: Any) -> "PolicyClient":
        """The desk of another workspace of the same organization."""
        name = values.pop("name", f"Workspace {new_id()}")
        return self.of(self.factory.tenant(self.tenant.organization_id, name, **values))

    def a_stranger(self, denied: tuple[str, ...] = (), **values: Any) -> "PolicyClient":
        """The desk of a workspace of another organization."""
        return self.of(
            self.factory.tenant(self.factory.organization(f"Acme {new_id()}", denied), **values)
        )

    def a_child(self, **values: Any) -> "PolicyClient":
        """The desk of a workspace that inherits from this one."""
        return self.a_colleague(parent_id=self.tenant.workspace_id, inherits=True, **values)

    @property
    def trying(self) -> "PolicyClient":
        """The same desk, where every change is a dry run."""
        return replace(self, dry_run=True)

    def ask(self, method: str, below: str = "", body: Any = None, **headers: str) -> Any:
        """Make a request; headers are named with underscores, values are sent in UTF-8."""
        named = {"Authorization": f"AccessKey {self.tenant.keys[self.role]}"} | {
            name.replace("_", "-"): value.encode().decode("latin-1")
            for name, value in headers.items()
        }
        is_trying = self.dry_run and method != "GET"
        target = self.path + below + ("?dry_run=true" if is_trying else "")
        return self.gateway.client.open(target, method=method, json=body, headers=named)

    def get(self, below: str = "") -> Any:
        return self.ask("GET", below).json

    @property
    def revision(self) -> int:
        """The current revision, as the ETag tells it."""
        return revision_of(self.ask("GET"))

    @property
    def destinations(self) -> dict[str, str]:
        found: dict[str, str] = self.get()["destinations"]
        return found

    def put(self, destinations: Any, **headers: str) -> Any:
        return self.ask("PUT", "", {"destinations": destinations}, **headers)

    def allow(self, *codes: Any, **headers: str) -> Any:
        return self.ask("POST", "/allow", {"destinations": list(codes)}, **headers)

    def allow_until(self, until: str, *codes: str, **headers: str) -> Any:
        body = {"destinations": list(codes), "until": until}
        return self.ask("POST", "/allow", body, **headers)

    def block(self, *codes: Any, **headers: str) -> Any:
        return self.ask("POST", "/block", {"destinations": list(codes)}, **headers)

    def add_rule(
        self,
        kind: str,
        value: str,
        action: str,
        *,
        headers: dict[str, str] | None = None,
        **fields: Any,
    ) -> Any:
        body = {"kind": kind, "value": value, "action": action} | fields
        return self.ask("POST", "/rules", body, **(headers or {}))

    def drop_rule(self, rule_id: str, **headers: str) -> Any:
        return self.ask("DELETE", f"/rules/{rule_id}", **headers)

    def inherit(self, on: bool, **headers: str) -> Any:
        return self.ask("PUT", "/inheritance", {"inherit": on}, **headers)

    def restore(self, revision: int | str, **headers: str) -> Any:
        return self.ask("POST", f"/history/{revision}/restore", **headers)

    def history(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get("/history?limit=100")["items"]
        return found

    def check(self, *numbers: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ask("POST", "/check", {"numbers": list(numbers)}).json[
            "verdicts"
        ]
        return found

    def reaches(self, number: str) -> bool:
        """Whether a send goes out; the check must say the same."""
        answer = self.gateway.send(self.tenant, to=number)
        (verdict,) = self.check(number)
        assert answer.status_code in {201, 422}, answer.text
        assert verdict["allowed"] == (answer.status_code == 201)
        if answer.status_code == 422:
            assert answer.json["code"] == verdict["code"]
        return bool(verdict["allowed"])


# Each change as a request, on a desk with a parent; each would change what `prepared` left.
CHANGES: dict[str, Callable[..., Any]] = {
    "put": lambda policy, **headers: policy.put({"CA": "allowed"}, **headers),
    "allow": lambda policy, **headers: policy.allow("FR", **headers),
    "allow until": lambda policy, **headers: policy.allow_until(FAR, "FR", **headers),
    "block": lambda policy, **headers: policy.block("US", **headers),
    "add a rule": lambda policy, **headers: policy.add_rule(
        "prefix", "+1", "blocked", headers=headers
    ),
    "drop a rule": lambda policy, **headers: policy.drop_rule(
        policy.get("/rules")["items"][0]["id"], **headers
    ),
    "inherit": lambda policy, **headers: policy.inherit(True, **headers),
    "restore": lambda policy, **headers: policy.restore(2, **headers),
}


def prepared(policy: PolicyClient) -> PolicyClient:
    """A workspace with a parent, at revision 3, with a rule: every one of `CHANGES` changes it."""
    found = policy.a_colleague(parent_id=policy.tenant.workspace_id)
    found.allow("GB")
    found.add_rule("prefix", "+447911", "blocked")
    assert found.revision == 3
    return found


def revision_of(answer: Any) -> int:
    """The revision that an answer's ETag names."""
    tag = answer.headers["ETag"]
    assert tag == f'"{tag[1:-1]}"'
    return int(tag[1:-1])


def tie_a_loop(database: Database, one: Tenant, other: Tenant) -> None:
    """Make two workspaces each other's parents, as no operation does."""
    with database.writing() as c:
        for child, parent in ((one, other), (other, one)):
            c.execute(
                update(workspaces)
                .where(workspaces.c.id == child.workspace_id)
                .values(parent_id=parent.workspace_id, inherits_destinations=True)
            )


def store_rule(database: Database, tenant: Tenant, kind: str, value: str, action: str) -> None:
    """Write a rule past every check."""
    with database.writing() as c:
        row = c.execute(
            select(workspaces.c.created_at).where(workspaces.c.id == tenant.workspace_id)
        ).one()
        c.execute(
            destination_rules.insert().values(
                id=new_id(),
                workspace_id=tenant.workspace_id,
                kind=kind,
                value=value,
                action=action,
                created_at=row.created_at,
            )
        )
