"""Fetching and listing messages: filters, pages, and what does not exist for a key."""

from datetime import timedelta, timezone
from typing import Any

from app.access.principal import Role
from app.kernel.clock import rfc3339, utc_now
from support.factories import BR_NUMBER, US_NUMBER, Factory, Gateway, Tenant
from support.time import ManualClock


def _get(gateway: Gateway, tenant: Tenant, path: str = "") -> Any:
    return gateway.get(f"/v1/sms{path}", key=tenant.keys[Role.SENDER])


def _ids(answer: Any) -> list[str]:
    return [item["id"] for item in answer.json["items"]]


def test_a_list_shows_the_newest_first_and_each_as_a_fetch_does(
    gateway: Gateway, tenant: Tenant
) -> None:
    sent = [gateway.send(tenant, message=f"text {place}").json["id"] for place in range(3)]
    answer = _get(gateway, tenant)
    assert _ids(answer) == sent[::-1]
    assert answer.json["next_page_token"] is None
    for item in answer.json["items"]:
        fetched = _get(gateway, tenant, f"/{item['id']}")
        assert (fetched.status_code, fetched.json) == (200, item)


def test_filters_narrow_the_list(
    timed_gateway: Gateway, factory: Factory, clock: ManualClock
) -> None:
    began = clock.at = (
        utc_now()
    )  # ids tell the time of the machine, and times are looked up by them
    tenant = factory.tenant(factory.organization(), destinations={"US": "allowed", "BR": "allowed"})
    sibling = factory.tenant(tenant.organization_id, "sibling")
    first_use_case, second_use_case = tenant.use_case_id, factory.use_case(tenant.workspace_id)
    sent: dict[str, Any] = {}
    for name, number, use_case in (
        ("us", US_NUMBER, first_use_case),
        ("brazil", BR_NUMBER, first_use_case),
        ("second", US_NUMBER, second_use_case),
    ):
        tenant.use_case_id = use_case
        sent[name] = timed_gateway.send(tenant, to=number).json
        clock.advance(60)
    sent["sibling"] = timed_gateway.send(sibling).json
    timed_gateway.callback(sent["brazil"]["id"], sent["brazil"]["message_sid"], "delivered")
    tenant.keys = factory.keys(tenant.organization_id, None)

    def found(**query: str) -> set[str]:
        answer = timed_gateway.client.get(
            "/v1/sms",
            query_string=query,
            headers={"Authorization": f"AccessKey {tenant.keys[Role.VIEWER]}"},
        )
        names = {message["id"]: name for name, message in sent.items()}
        return {names[message_id] for message_id in _ids(answer)}

    assert found() == set(sent)
    assert found(status="delivered") == {"brazil"}
    assert found(status="pending") == {"us", "second", "sibling"}
    assert found(country="BR") == {"brazil"}
    assert found(country="FR") == set()
    assert found(use_case_id=str(second_use_case)) == {"second"}
    assert found(to_number=BR_NUMBER) == {"brazil"}
    assert found(workspace_id=str(sibling.workspace_id)) == {"sibling"}
    first, second, last = (began + timedelta(seconds=seconds) for seconds in (0, 60, 180))
    in_paris = second.astimezone(timezone(timedelta(hours=1))).isoformat()
    assert in_paris.endswith("+01:00")
    assert found(created_after=rfc3339(first)) == {"brazil", "second", "sibling"}
    assert found(created_before=in_paris) == {"us"}
    assert found(created_after=rfc3339(first), created_before=rfc3339(last), country="US") == {
        "second"
    }


def test_a_new_message_has_no_events(gateway: Gateway, tenant: Tenant) -> None:
    message_id = gateway.send(tenant).json["id"]
    answer = _get(gateway, tenant, f"/{message_id}/events")
    assert answer.json == {"items": [], "next_page_token": None}
