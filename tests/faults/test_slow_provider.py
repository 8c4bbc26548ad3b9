"""A provider that takes 6 seconds: callbacks are answered, and other workspaces still send."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from app.access.roles import Role
from app.db.engine import Database
from app.emulator.scenarios import CallbackMode, CreateAnswer, Scenario
from support.patience import eventually
from support.stage import Answer, Stage, number, staged
from support.world import World

HELD_SECONDS = 6
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
    """Break: in `app/messages/send.py`, take no place, or take it for the organization."""
    processes = 1 if database.is_sqlite else 2
    with staged(database, tmp_path, WEB_CONCURRENCY=str(processes)) as stage:
        world = World(stage.database, stage.vault)
        other = world.tenant(stage.tenant.organization_id, "Wholesale")
        owner = world.keys(stage.tenant.organization_id, None)[Role.OWNER]
        stage.emulator.scenarios.set_default(Scenario(callbacks=CallbackMode.LOST))
        stage.emulator.scenarios.for_number(HANGING, SLOW)
        known = stage.send("known", PROMPT)
        sid = stage.rows()[known.message_id or ""]["message_sid"]
        with ThreadPoolExecutor(SENDERS) as pool:
            hanging = [
                pool.submit(_send, stage, owner, stage.tenant.use_case_id, f"{i}", HANGING)
                for i in range(SENDERS)
            ]
            attempted = stage.emulator.messages
            eventually(lambda: attempted.attempted >= 1 + SHARE)
            # Without a free thread, all of these would wait until the provider has answered.
            assert stage.callback(known.message_id, sid, "delivered").status == 204
            for key in (owner, other.keys[Role.SENDER]):
                one = _send(stage, key, other.use_case_id, "from another workspace", PROMPT)
                assert one.status == 201
            still_held = [one for one in hanging if not one.done()]
            assert len(still_held) >= SHARE
            for _ in range(6):
                assert stage.callback(known.message_id, sid, "delivered").status == 204
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
    with staged(database, tmp_path, options=patient, **few) as stage:
        stage.emulator.scenarios.set_default(replace(SLOW, hold_seconds=0.05))
        with ThreadPoolExecutor(24) as pool:
            key, use_case_id = stage.tenant.keys[Role.SENDER], stage.tenant.use_case_id
            sends = [
                pool.submit(_send, stage, key, use_case_id, f"{i}", number(i)) for i in range(24)
            ]
        assert {one.result().status for one in sends} == {201}
        assert stage.emulator.messages.attempted == 24
        log = (tmp_path / "gateway.log").read_text(encoding="utf-8")
        assert log.count('"route": "/v1/sms"') == 24  # a run without an answer is not logged
    database.close()


def _send(stage: Stage, key: str, use_case_id: object, text: str, to: str) -> Answer:
    body = {"use_case_id": str(use_case_id), "to_phone_number": to, "message": text}
    headers = {"Authorization": f"AccessKey {key}", "Content-Type": "application/json"}
    answer = stage.request("POST", "/v1/sms", json.dumps(body), headers)
    assert answer is not None
    return answer
