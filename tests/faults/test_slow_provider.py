"""A provider that takes 8 seconds: callbacks are answered, and other workspaces still send."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from app.access.principal import Role
from app.db.engine import Database
from app.emulator.scenarios import CallbackMode, CreateAnswer, Scenario
from support.factories import Factory
from support.live_gateway import Answer, LiveGateway, number, start_live_gateway
from support.polling import eventually

HELD_SECONDS = 8
SENDERS = 60
# With 16 threads a process has 12 places, of which a workspace takes 10.
SHARE = 10
SLOW = Scenario(
    create=CreateAnswer.TIMEOUT_AFTER_ACCEPTING,
    hold_seconds=HELD_SECONDS,
    callbacks=CallbackMode.LOST,
)
HANGING, PROMPT = number(0), number(1)


def test_callbacks_and_other_workspaces_are_served_while_the_provider_is_slow(
    database: Database, tmp_path: Path
) -> None:
    """Break: in `app/messages/sending/send.py`, take no place, or take it for the organization."""
    processes = 1 if database.is_sqlite else 2
    with start_live_gateway(database, tmp_path, WEB_CONCURRENCY=str(processes)) as live_gateway:
        factory = Factory(live_gateway.database, live_gateway.cipher)
        other = factory.tenant(live_gateway.tenant.organization_id, "Wholesale")
        owner = factory.keys(live_gateway.tenant.organization_id, None)[Role.OWNER]
        live_gateway.emulator.scenarios.set_default(Scenario(callbacks=CallbackMode.LOST))
        live_gateway.emulator.scenarios.for_number(HANGING, SLOW)
        known = live_gateway.send("known", PROMPT)
        sid = live_gateway.rows()[known.message_id or ""]["message_sid"]
        with ThreadPoolExecutor(SENDERS) as pool:
            hanging = [
                pool.submit(
                    _send, live_gateway, owner, live_gateway.tenant.use_case_id, f"{i}", HANGING
                )
                for i in range(SENDERS)
            ]
            attempted = live_gateway.emulator.messages
            eventually(lambda: attempted.attempted >= 1 + SHARE)
            # Without a free thread, all of these would wait until the provider has answered.
            assert live_gateway.callback(known.message_id, sid, "delivered").status == 204
            for key in (owner, other.keys[Role.SENDER]):
                one = _send(live_gateway, key, other.use_case_id, "from another workspace", PROMPT)
                assert one.status == 201
            still_held = [one for one in hanging if not one.done()]
            assert len(still_held) >= SHARE
            for _ in range(6):
                assert live_gateway.callback(known.message_id, sid, "delivered").status == 204
            answers = [one.result() for one in hanging]
        sent = [one for one in answers if one.status == 201]
        refused = [one for one in answers if one.status != 201]
        assert len(sent) >= SHARE
        assert {(one.status, one.body["code"]) for one in refused} <= {(429, "RateLimited")}
        # They have not waited for the provider.
        assert all(one.seconds < HELD_SECONDS for one in refused)


def test_burst_of_sends_waits_for_places_without_a_thread(sqlite_url: str, tmp_path: Path) -> None:
    """Break: in `app/messages/api.py`, leave out `run_again_when`."""
    database = Database(sqlite_url, pool_size=8)
    patient = ("--worker-class", "tests.support.quick_worker.QuickWorker")
    few = {"WEB_CONCURRENCY": "1", "BORDERPOST_THREADS": "8"}
    with start_live_gateway(database, tmp_path, options=patient, **few) as live_gateway:
        live_gateway.emulator.scenarios.set_default(replace(SLOW, hold_seconds=0.05))
        with ThreadPoolExecutor(24) as pool:
            key, use_case_id = (
                live_gateway.tenant.keys[Role.SENDER],
                live_gateway.tenant.use_case_id,
            )
            sends = [
                pool.submit(_send, live_gateway, key, use_case_id, f"{i}", number(i))
                for i in range(24)
            ]
        assert {one.result().status for one in sends} == {201}
        assert live_gateway.emulator.messages.attempted == 24
        log = (tmp_path / "gateway.log").read_text(encoding="utf-8")
        assert log.count('"route": "/v1/sms"') == 24  # a run without an answer is not logged
    database.close()


def _send(live_gateway: LiveGateway, key: str, use_case_id: object, text: str, to: str) -> Answer:
    body = {"use_case_id": str(use_case_id), "to_phone_number": to, "message": text}
    headers = {"Authorization": f"AccessKey {key}", "Content-Type": "application/json"}
    answer = live_gateway.request("POST", "/v1/sms", json.dumps(body), headers)
    assert answer is not None
    return answer
