"""Setting and reading the guards of one workspace over HTTP."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from app.access.principal import Role
from app.prices.store import price_lists, prices
from support.factories import Factory, Gateway, Tenant

DEFAULTS: dict[str, Any] = {
    "number": {"mode": "enforce", "hour": 10, "day": 40},
    "prefix": {"mode": "monitor", "hour": 50, "day": None},
    "country": {"mode": "enforce", "hour": "auto", "day": "auto", "countries": {}},
    "workspace": {"mode": "monitor", "minute": "auto", "day": "auto"},
    "spend": {"mode": "off", "day": None, "month": None},
    "delivery": {"mode": "monitor", "below": 30, "baseline": 60, "minimum": 20},
}
OFF: dict[str, Any] = {name: {"mode": "off"} for name in DEFAULTS}
FLOORS: dict[str, Any] = {
    "country": {"hour": 50, "day": 200, "countries": {}},
    "workspace": {"minute": 300, "day": 10000},
}


@dataclass(frozen=True)
class GuardsClient:
    """Where one workspace's guards are managed; `role` says whose key is used."""

    gateway: Gateway
    tenant: Tenant
    factory: Factory
    role: Role = Role.ADMIN

    @property
    def path(self) -> str:
        return f"/v1/workspaces/{self.tenant.workspace_id}/guards"

    def as_role(self, role: Role) -> "GuardsClient":
        """The same desk with the key of another role."""
        return replace(self, role=role)

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        named = {"Authorization": f"AccessKey {self.tenant.keys[self.role]}"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        return self.gateway.client.open(path, method=method, json=body, headers=named)

    def get(self) -> Any:
        return self.ask("GET", self.path).json

    def alerts(self, query: str = "") -> list[dict[str, Any]]:
        """The alerts of the workspace, newest first."""
        path = f"/v1/alerts?limit=100&workspace_id={self.tenant.workspace_id}{query}"
        answer = self.as_role(Role.VIEWER).ask("GET", path)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json["items"]
        return found

    def put(self, body: Any, **headers: str) -> Any:
        return self.ask("PUT", self.path, body, **headers)

    def set(self, use_cases: dict[UUID, Any] | None = None, **guards: Any) -> None:
        """Switch all guards off but the given ones."""
        own = {str(use_case_id): value for use_case_id, value in (use_cases or {}).items()}
        answer = self.put({"guards": OFF | guards, "use_cases": own})
        assert answer.status_code == 200, answer.text

    def problems(self, body: Any) -> dict[str, list[str]]:
        """The problems of a body that is refused."""
        answer = self.put(body)
        assert (answer.status_code, answer.json["code"]) == (422, "ValidationFailed"), answer.text
        found: dict[str, list[str]] = answer.json["details"]
        return found


def store_prices(factory: Factory, at: datetime | None = None, **of_countries: str) -> None:
    """Replace all prices by these, in USD from a day on; without any, there is no list."""
    with factory.database.writing() as c:
        c.execute(prices.delete())
        c.execute(price_lists.delete())
        if at is not None:
            c.execute(price_lists.insert().values(id=1, revision=1, currency="USD", updated_at=at))
        for country, price in of_countries.items():
            row = {"country": country, "mccmnc": "", "valid_from": at.date(), "price": price}
            c.execute(prices.insert().values(row))
