"""An application and its owner, with the Python client and webhooks: from a refusal to the end."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
import urllib3

from app.access.principal import Role
from app.db.engine import Database
from app.kernel.clock import utc_now
from borderpost_client import ApiError, Borderpost, DestinationBlocked, verify_webhook
from support.factories import Factory
from support.live_gateway import start_live_gateway_here
from support.time import ManualClock
from support.webhooks import HOOK, Hooks

pytestmark = pytest.mark.one_engine
FRANCE = "+33612345678"


def test_a_country_is_opened_and_a_message_followed_until_a_guard_stops_the_next(
    database: Database, tmp_path: Path
) -> None:
    """Break: in `app/messages/delivery/apply_report.py`, enqueue no event."""
    with start_live_gateway_here(database, tmp_path) as live:
        url, tenant = live.environ["BORDERPOST_PUBLIC_URL"], live.tenant
        with (
            Borderpost(url, tenant.keys[Role.SENDER]) as application,
            Borderpost(url, tenant.keys[Role.ADMIN]) as owner,
        ):
            body = {"url": HOOK, "events": ["sms.sent", "sms.delivered", "destination.changed"]}
            endpoint = urllib3.request(
                "POST",
                f"{url}/v1/webhook-endpoints",
                json=body,
                headers={"Authorization": f"AccessKey {tenant.keys[Role.ADMIN]}"},
            ).json()
            with pytest.raises(DestinationBlocked) as blocked:
                application.send(tenant.use_case_id, FRANCE, "Bonjour")
            assert blocked.value.details["country"] == "FR"
            destinations = owner.destinations(tenant.workspace_id)
            destinations.allow("FR", reason="launch", if_match=destinations.get().revision)
            assert destinations.check(FRANCE)[0].allowed
            sent = application.send(tenant.use_case_id, FRANCE, "Bonjour", idempotency_key="one")
            ended = application.wait(sent.id, timeout=40)
            assert (ended.status, ended.delivered_at is not None) == ("delivered", True)
            limit = {"number": {"mode": "enforce", "hour": 1, "day": 1}}
            owner.guards(tenant.workspace_id).replace(limit, reason="one is enough")
            application.send(tenant.use_case_id, FRANCE, "Encore", idempotency_key="two")
            with pytest.raises(ApiError) as tripped:
                application.send(tenant.use_case_id, FRANCE, "Encore", idempotency_key="three")
            assert (tripped.value.code, tripped.value.details["guard"]) == (
                "GuardTripped",
                "number",
            )
            again = application.send(tenant.use_case_id, FRANCE, "Bonjour", idempotency_key="one")
            assert again == sent
            assert {one.to_number for one in application.messages(country="FR")} == {FRANCE}
        assert live.emulator.wait_until_quiet(40)
        later = ManualClock(utc_now() + timedelta(minutes=1))
        hooks = Hooks(Factory(database, live.cipher), later)
        hooks.drain()
    events = [
        verify_webhook(endpoint["secret"], one.headers, one.body.encode())
        for one in hooks.sender.posted
    ]
    of_the_first = [one.type for one in events if one.data.get("id") == sent.id]
    assert sorted(of_the_first) == ["sms.delivered", "sms.sent"]
    changes = [one.data["changes"] for one in events if one.type == "destination.changed"]
    assert json.dumps(changes) == '[[{"country": "FR", "from": null, "to": "allowed"}]]'
