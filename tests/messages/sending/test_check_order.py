"""The checks of a send run in a fixed order: an earlier one wins over a later one."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from sqlalchemy import delete

from app.access.principal import Role
from app.access.tables import workspaces
from app.kernel.ids import new_id
from app.use_cases.tables import senders, use_cases
from support.factories import US_NUMBER, Factory, Gateway, Tenant
from support.tables import add_opt_out_row

# What is wrong with a number -> one that has exactly these faults. "blocked": its country is not
# on the workspace's map; a number without a country is on no map.
NUMBERS = {
    frozenset(): US_NUMBER,
    frozenset({"unreal"}): "+12025550",
    frozenset({"unreal", "blocked"}): "+5511",
    frozenset({"kind"}): "+19002345678",
    frozenset({"kind", "blocked"}): "+551123456789",
    frozenset({"blocked"}): "+5511961234567",
    frozenset({"no country"}): "+881612345678",
    frozenset({"no country", "kind"}): "+80012345678",
    frozenset({"no country", "unreal"}): "+80012",
}


@dataclass
class Attempt:
    """A send that would pass, until something is spoiled."""

    factory: Factory
    gateway: Gateway
    tenant: Tenant
    key: str | None
    headers: dict[str, str] = field(default_factory=dict)
    use_case_id: str = ""
    message: str | None = "Your code is 1234"
    number_faults: set[str] = field(default_factory=set)
    opted_out: bool = False

    @property
    def number(self) -> str | None:
        faults = self.number_faults - ({"blocked"} if "no country" in self.number_faults else set())
        return NUMBERS.get(frozenset(faults))

    def set_use_case(self, **values: Any) -> None:
        self.factory.set(use_cases, self.tenant.use_case_id, **values)

    def run(self) -> tuple[int, str, str | None]:
        number = self.number
        assert number is not None
        if self.opted_out:
            add_opt_out_row(self.factory, self.tenant.workspace_id, number)
        body = {"use_case_id": self.use_case_id, "to_phone_number": number, "message": self.message}
        answer = self.gateway.post("/v1/sms", body, key=self.key, **self.headers)
        return answer.status_code, answer.json["code"], answer.json.get("details", {}).get("rule")


def _no_key(a: Attempt) -> None:
    a.key = None


def _small_role(a: Attempt) -> None:
    a.key = a.key and a.tenant.keys[Role.VIEWER]


def _wrong_body(a: Attempt) -> None:
    a.message = None


def _malformed_key(a: Attempt) -> None:
    a.headers = {"Idempotency_Key": "k" * 256}


def _reused_key(a: Attempt) -> None:
    if not a.headers:
        a.headers = {"Idempotency_Key": "first"}


def _absent(a: Attempt) -> None:
    a.use_case_id = str(new_id())


def _deleted(a: Attempt) -> None:
    a.set_use_case(deleted_at=a.factory.now)


def _frozen(a: Attempt) -> None:
    a.factory.set(workspaces, a.tenant.workspace_id, suspended_at=a.factory.now)


def _inactive(a: Attempt) -> None:
    a.set_use_case(active=False)


def _brand_suspended(a: Attempt) -> None:
    a.set_use_case(brand_status="SUSPENDED")


def _no_sender(a: Attempt) -> None:
    with a.factory.database.writing() as c:
        c.execute(delete(senders).where(senders.c.use_case_id == a.tenant.use_case_id))


def _campaign_pending(a: Attempt) -> None:
    a.set_use_case(campaign_status="IN_PROGRESS")


def _number_with(fault: str) -> Callable[[Attempt], None]:
    def spoil(a: Attempt) -> None:
        a.number_faults.add(fault)

    return spoil


def _opted_out(a: Attempt) -> None:
    a.opted_out = True


CHECKS: list[tuple[str, Callable[[Attempt], None], tuple[int, str, str | None]]] = [
    ("no key", _no_key, (401, "Unauthorized", None)),
    ("role", _small_role, (403, "Forbidden", None)),
    ("body", _wrong_body, (422, "ValidationFailed", None)),
    ("malformed idempotency key", _malformed_key, (400, "BadRequest", None)),
    ("reused idempotency key", _reused_key, (422, "IdempotencyKeyReused", None)),
    ("use case absent", _absent, (404, "UseCaseNotFound", None)),
    ("use case deleted", _deleted, (404, "UseCaseNotFound", None)),
    ("workspace frozen", _frozen, (403, "WorkspaceSuspended", None)),
    ("use case inactive", _inactive, (422, "UseCaseInactive", None)),
    ("brand suspended", _brand_suspended, (422, "BrandSuspended", None)),
    ("no sender", _no_sender, (422, "NoSenderNumber", None)),
    ("campaign not verified", _campaign_pending, (422, "CampaignNotVerified", None)),
    ("number not real", _number_with("unreal"), (422, "InvalidDestination", None)),
    (
        "number without a country",
        _number_with("no country"),
        (422, "DestinationBlocked", "no_country"),
    ),
    ("number of the wrong kind", _number_with("kind"), (422, "InvalidDestination", None)),
    ("country not allowed", _number_with("blocked"), (422, "DestinationBlocked", "country")),
    ("opted out", _opted_out, (422, "RecipientOptedOut", None)),
]
# A number that is not real has no kind to speak of.
_IMPOSSIBLE = {("number not real", "number of the wrong kind")}


def _attempt(factory: Factory, gateway: Gateway, organization_id: Any) -> Attempt:
    """A workspace that has sent once, with an idempotency key, through another use case."""
    tenant = factory.tenant(organization_id, f"workspace {new_id()}")
    attempt = Attempt(factory, gateway, tenant, tenant.keys[Role.SENDER])
    attempt.use_case_id = str(factory.use_case(tenant.workspace_id))
    first = {"key": attempt.key, "Idempotency_Key": "first"}
    body = {"use_case_id": attempt.use_case_id, "to_phone_number": US_NUMBER, "message": "first"}
    assert gateway.post("/v1/sms", body, **first).status_code == 201
    attempt.use_case_id = str(tenant.use_case_id)
    return attempt


def test_each_check_has_its_own_code(factory: Factory, gateway: Gateway) -> None:
    organization_id = factory.organization()
    found = {}
    for name, spoil, _ in CHECKS:
        attempt = _attempt(factory, gateway, organization_id)
        spoil(attempt)
        found[name] = attempt.run()
    assert found == {name: expected for name, _, expected in CHECKS}


def test_every_earlier_check_wins_over_every_later_one(factory: Factory, gateway: Gateway) -> None:
    organization_id = factory.organization()
    expected, found = {}, {}
    for (first, spoil_first, answer), (second, spoil_second, _) in combinations(CHECKS, 2):
        if (first, second) in _IMPOSSIBLE:
            continue
        attempt = _attempt(factory, gateway, organization_id)
        spoil_second(attempt)  # the later fault is there first
        spoil_first(attempt)
        expected[first, second] = answer
        found[first, second] = attempt.run()
    assert len(found) == len(CHECKS) * (len(CHECKS) - 1) // 2 - len(_IMPOSSIBLE)
    assert found == expected


def test_send_with_several_faults_reports_the_first(factory: Factory, gateway: Gateway) -> None:
    organization_id = factory.organization()
    combinable = [c for c in CHECKS if c[0] not in {"number not real", "country not allowed"}]
    for place, (name, _, expected) in enumerate(combinable):
        attempt = _attempt(factory, gateway, organization_id)
        for _, spoil, _ in reversed(combinable[place:]):
            spoil(attempt)
        assert (name, attempt.run()) == (name, expected)
    created = [call for call in gateway.twilio.calls if call.data["Body"] != "first"]
    assert created == []
