"""Keys with a rate and limits, through HTTP."""

from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any
from uuid import UUID

import pytest

from app.access.principal import Role
from app.access.tables import access_keys
from app.destinations.tables import refusals
from support.console import open_console, signed_in
from support.each import each
from support.factories import US_NUMBER
from support.plans import statements_of
from support.related_tenants import Tenants

pytestmark = pytest.mark.one_engine
PATH = "/v1/access-keys"
CANADIAN = "+14165550123"


def _make(tenants: Tenants, *, key: str | None = None, **given: Any) -> Any:
    body = {"name": "limited", "role": "sender"} | given
    return tenants.gateway.post(PATH, body, key=key or tenants.own.keys[Role.OWNER])


def _token(tenants: Tenants, **given: Any) -> str:
    answer = _make(tenants, **given)
    assert answer.status_code == 201, answer.get_json()
    return str(answer.get_json()["token"])


def _send(tenants: Tenants, token: str, to: str = US_NUMBER, use_case_id: Any = None) -> Any:
    body = {
        "use_case_id": str(use_case_id or tenants.own.use_case_id),
        "to_phone_number": to,
        "message": "Your code is 1234",
    }
    return tenants.gateway.post("/v1/sms", body, key=token)


def _refusals(tenants: Tenants) -> list[dict[str, Any]]:
    own = {tenants.own.workspace_id, tenants.related_tenants.sibling.workspace_id}
    return [row for row in tenants.factory.rows(refusals) if row["workspace_id"] in own]


def test_key_above_its_rate_gets_429_with_retry_after(
    tenants: Tenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Break: take no token for sends."""
    monkeypatch.setattr(tenants.gateway.services.rates, "_monotonic_ns", lambda: 10**15)
    token = _token(tenants, rate={"per_second": 1, "burst": 3})

    answers = [_send(tenants, token) for _ in range(2)]
    answers += [tenants.gateway.get("/v1/sms", key=token), _send(tenants, token)]

    assert [answer.status_code for answer in answers] == [201, 201, 200, 429]
    refused = answers[-1]
    assert refused.get_json()["code"] == "RateLimited"
    assert refused.headers["Retry-After"] == "1"
    assert [answer.headers["RateLimit-Policy"] for answer in answers] == ['"key";q=3;w=3'] * 4
    assert [answer.headers["RateLimit"].split(";t=")[0] for answer in answers] == [
        '"key";r=2',
        '"key";r=1',
        '"key";r=0',
        '"key";r=0',
    ]
    assert len(tenants.gateway.twilio.calls) == 2
    assert tenants.gateway.get("/v1/sms", key=tenants.own.keys[Role.SENDER]).status_code == 200


def test_a_rate_is_shown_with_the_key(tenants: Tenants) -> None:
    made = _make(tenants, rate={"per_second": 5, "burst": 10}).get_json()

    assert made["rate"] == {"per_second": 5, "burst": 10}
    assert tenants.gateway.get("/v1/me", key=made["token"]).get_json()["rate"] == made["rate"]
    assert _make(tenants, rate={"per_second": 7}).get_json()["rate"] == {
        "per_second": 7,
        "burst": 14,
    }


@each(
    "field, value, path",
    [
        ("rate", {"per_second": 0}, "$.rate.per_second"),
        ("rate", {"per_second": 1.5}, "$.rate.per_second"),
        ("rate", {"per_second": 1, "burst": 1_000_001}, "$.rate.burst"),
        ("rate", {"per_minute": 1}, "$.rate.per_minute"),
        ("rate", 5, "$.rate"),
        ("use_case_ids", ["codes"], "$.use_case_ids[0]"),
        ("use_case_ids", ["0b9e7f6e-6f0e-4c53-8a43-1f7f1c1ad001"], "$.use_case_ids"),
        ("use_case_ids", [], "$.use_case_ids"),
        ("countries", ["us"], "$.countries[0]"),
        ("source_networks", ["203.0.113.0/33"], "$.source_networks[0]"),
    ],
)
def test_wrong_limits_are_named(tenants: Tenants, field: str, value: Any, path: str) -> None:
    answer = _make(tenants, **{field: value})

    assert (answer.status_code, list(answer.get_json()["details"])) == (422, [path])


def test_networks_are_stored_as_peers_are_compared(tenants: Tenants) -> None:
    """Break: keep the IPv6 notation of an IPv4 network, in which no peer is."""
    given = {"::ffff:127.0.0.0/104": "127.0.0.0/8", "::/0": "::/0"}
    for network, stored in given.items():
        made = _make(tenants, source_networks=[network]).get_json()
        assert (network, made["source_networks"]) == (network, [stored])
        is_served = _send(tenants, made["token"]).status_code == 201
        assert (network, is_served) == (network, stored == "127.0.0.0/8")
    refused = _make(tenants, source_networks=["fe80::1%lo/128"])
    assert list(refused.get_json()["details"]) == ["$.source_networks[0]"]


def test_a_limited_key_sends_only_where_it_may(tenants: Tenants) -> None:
    """Break: leave out either check in the send."""
    other = tenants.factory.use_case(tenants.own.workspace_id)
    token = _token(tenants, use_case_ids=[str(tenants.own.use_case_id)], countries=["CA"])
    tenants.gateway.client.put(
        f"/workspaces/{tenants.own.workspace_id}/destination-management/capability/sms",
        json={"destinations": {"US": "allowed", "CA": "allowed"}},
        headers={"Authorization": f"AccessKey {tenants.own.keys[Role.OWNER]}"},
    )

    answers = [
        _send(tenants, token, CANADIAN),
        _send(tenants, token, US_NUMBER),
        _send(tenants, token, CANADIAN, other),
    ]

    assert [answer.status_code for answer in answers] == [201, 403, 403]
    assert [answer.get_json() for answer in answers[1:]] == [
        {"code": "Forbidden", "message": "This access key may not send to US."},
        {"code": "Forbidden", "message": "This access key may not send through this use case."},
    ]
    assert len(tenants.gateway.twilio.calls) == 1
    found = [
        (row["code"], row["source"], row["country"], row["use_case_id"])
        for row in _refusals(tenants)
    ]
    assert sorted(found, key=str) == [
        ("Forbidden", "access_key", "CA", other),
        ("Forbidden", "access_key", "US", tenants.own.use_case_id),
    ]


def test_sends_from_elsewhere_are_listed_up_to_the_rate_of_the_key(
    tenants: Tenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Break: take no token for them, or the token of those who may use the key."""
    monkeypatch.setattr(tenants.gateway.services.rates, "_monotonic_ns", lambda: 10**15)
    token = _token(tenants, source_networks=["203.0.113.0/24"], rate={"per_second": 1, "burst": 2})
    assert [_send(tenants, token).status_code for _ in range(4)] == [403, 403, 429, 429]
    of_another = tenants.related_tenants.sibling.use_case_id
    other = _token(tenants, source_networks=["203.0.113.0/24"])
    assert _send(tenants, other, use_case_id=of_another).status_code == 403
    rows = _refusals(tenants)
    assert [(row["code"], row["source"]) for row in rows] == [("Forbidden", "access_key")] * 2
    answers = [
        tenants.gateway.client.get(
            "/v1/sms",
            headers={"Authorization": f"AccessKey {token}"},
            environ_overrides={"REMOTE_ADDR": "203.0.113.9"},
        ).status_code
        for _ in range(3)
    ]
    assert answers == [200, 200, 429]


def test_a_key_is_used_from_its_networks_only_in_the_console_too(tenants: Tenants) -> None:
    token = _token(tenants, role="admin", source_networks=["203.0.113.0/24", "2001:db8::/32"])
    client = tenants.gateway.client

    def status(address: str, path: str = "/v1/sms") -> int:
        return client.get(
            path,
            headers={"Authorization": f"AccessKey {token}", "X-Forwarded-For": "203.0.113.9"},
            environ_overrides={"REMOTE_ADDR": address},
        ).status_code

    assert {a: status(a) for a in ("203.0.113.9", "::ffff:203.0.113.9", "2001:db8::7")} == {
        "203.0.113.9": 200,
        "::ffff:203.0.113.9": 200,
        "2001:db8::7": 200,
    }
    assert {a: status(a) for a in ("127.0.0.1", "203.0.114.1", "2001:db9::1")} == {
        "127.0.0.1": 403,
        "203.0.114.1": 403,
        "2001:db9::1": 403,
    }
    assert _send(tenants, token).status_code == 403
    assert open_console(tenants.gateway).sign_in_by_key(token).status_code == 403
    assert open_console(tenants.gateway, "203.0.113.9").sign_in_by_key(token).status_code == 303


def test_limited_key_cannot_create_a_wider_key(tenants: Tenants) -> None:
    """Break: store the wanted limits instead of the narrowed ones."""
    own_use_case = str(tenants.own.use_case_id)
    limits = {
        "use_case_ids": [own_use_case],
        "countries": ["CA", "US"],
        "source_networks": ["127.0.0.0/8"],
    }
    admin = _token(tenants, role="admin", **limits)
    other = str(tenants.factory.use_case(tenants.own.workspace_id))

    wider = _make(
        tenants,
        key=admin,
        use_case_ids=[own_use_case, other],
        countries=["GB"],
        source_networks=["127.0.0.0/7"],
    )
    assert wider.status_code == 422
    assert sorted(wider.get_json()["details"]) == [
        "$.countries",
        "$.source_networks",
        "$.use_case_ids",
    ]
    inherited = _make(tenants, key=admin).get_json()
    assert {name: inherited[name] for name in limits} == limits
    narrower = _make(tenants, key=admin, countries=["US"], source_networks=["127.0.0.1"]).get_json()
    assert narrower["countries"] == ["US"]
    assert narrower["source_networks"] == ["127.0.0.1/32"]


def test_key_cannot_create_a_faster_key(tenants: Tenants) -> None:
    admin = _token(tenants, role="admin", rate={"per_second": 2, "burst": 300})

    faster = _make(tenants, key=admin, rate={"per_second": 3, "burst": 301})
    assert faster.status_code == 422
    assert faster.get_json()["details"] == {
        "$.rate.per_second": [
            "Is wider than your own access key: it may make 2 requests per second."
        ],
        "$.rate.burst": ["Is wider than your own access key: it has a burst of 300."],
    }
    own = {"per_second": 2, "burst": 300}
    assert _make(tenants, key=admin, rate=own).get_json()["rate"] == own
    assert _make(tenants, key=admin).get_json()["rate"] == {"per_second": 2, "burst": 200}
    default = {"per_second": 100, "burst": 200}
    for unlimited in (default, {"per_second": 500, "burst": 1000}):
        assert _make(tenants, rate=unlimited).get_json()["rate"] == unlimited
    assert _make(tenants).get_json()["rate"] == default


def test_key_that_is_signed_in_cannot_create_a_faster_key(tenants: Tenants) -> None:
    console = signed_in(tenants.gateway, _token(tenants, role="admin", rate={"per_second": 2}))
    path = "/console/access-keys"

    refused = console.post(path, {"name": "fast", "role": "sender", "rate": "3"})
    assert refused.status_code == 422
    assert "it may make 2 requests per second." in unescape(refused.get_data(as_text=True))
    assert console.post(path, {"name": "slow", "role": "sender"}).status_code == 200
    made = next(row for row in tenants.factory.rows(access_keys) if row["name"] == "slow")
    assert (made["rate_per_second"], made["rate_burst"]) == (2, 4)


def test_the_last_use_is_written_once_a_minute(tenants: Tenants) -> None:
    """Break: write it with every request."""
    answer = _make(tenants).get_json()
    key, token = answer["id"], answer["token"]

    def stored() -> Any:
        rows = tenants.factory.rows(access_keys)
        return next(row["last_used_at"] for row in rows if str(row["id"]) == key)

    assert stored() is None
    assert _send(tenants, token).status_code == 201
    first = stored()
    assert first is not None
    with statements_of(tenants.factory.database, "UPDATE access_keys") as written:
        assert tenants.gateway.get("/v1/sms", key=token).status_code == 200
    assert written == []
    assert stored() == first
    long_ago = datetime.now(UTC) - timedelta(seconds=61)
    tenants.factory.set(access_keys, UUID(key), last_used_at=long_ago)
    assert tenants.gateway.get("/v1/sms", key=token).status_code == 200
    assert stored() > long_ago


def test_limits_hold_for_a_key_that_is_signed_in(tenants: Tenants) -> None:
    """Break: leave the limits out of the user."""
    token = _token(tenants, role="admin", countries=["CA"])
    console = signed_in(tenants.gateway, token)

    answer = console.post(
        "/console/try",
        {
            "use_case_id": str(tenants.own.use_case_id),
            "to_phone_number": US_NUMBER,
            "message": "hello",
            "nonce": "0b9e7f6e-6f0e-4c53-8a43-1f7f1c1ad001",
        },
    )

    assert answer.status_code == 403
    assert "limited to some use cases, countries or networks" in unescape(answer.text)
    assert tenants.gateway.twilio.calls == []


def test_rate_applies_to_a_signed_in_key(tenants: Tenants, monkeypatch: pytest.MonkeyPatch) -> None:
    """Break: count no request of the console."""
    monkeypatch.setattr(tenants.gateway.services.rates, "_monotonic_ns", lambda: 10**15)
    token = _token(tenants, rate={"per_second": 1, "burst": 2})
    console = signed_in(tenants.gateway, token)
    form = {
        "use_case_id": str(tenants.own.use_case_id),
        "to_phone_number": US_NUMBER,
        "message": "hello",
    }
    answers = [console.post("/console/try", form) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [303, 303, 429]
    assert answers[-1].headers["RateLimit-Policy"] == '"key";q=2;w=2'
    assert _send(tenants, token).status_code == 429
    assert console.get("/console/try").status_code == 200
