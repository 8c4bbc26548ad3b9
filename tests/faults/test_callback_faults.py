"""Callbacks that come early, backwards, twice or never: the message ends the same."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from app.db.engine import Database
from app.emulator.callbacks.sender import chosen_sender
from app.emulator.scenarios import CallbackMode, FinalStatus, Scenario
from support.factories import SERVICE_SID
from support.history import judge
from support.live_gateway import LiveGateway, number, start_live_gateway

MODES = (
    CallbackMode.IN_ORDER,
    CallbackMode.BEFORE_ANSWER,
    CallbackMode.REVERSED,
    CallbackMode.DUPLICATED,
    CallbackMode.LOST,
)


@dataclass(frozen=True, slots=True)
class End:
    """Everything of a message that the way of its callbacks must not change."""

    status: str
    error_code: int | None = None
    num_segments: int | None = None
    was_handed_off: bool = False
    was_delivered: bool = False
    has_erred: bool = False
    from_number: str | None = chosen_sender(SERVICE_SID)
    check_at_is_set: bool = False


ENDS = {
    FinalStatus.DELIVERED: End(
        "delivered", num_segments=1, was_handed_off=True, was_delivered=True
    ),
    FinalStatus.UNDELIVERED: End(
        "undelivered", 30008, num_segments=1, was_handed_off=True, has_erred=True
    ),
    FinalStatus.FAILED: End("failed", 30008, has_erred=True),
}


def test_callbacks_in_any_order_and_number_lead_to_the_same_end(
    database: Database, tmp_path: Path
) -> None:
    """Only the events tell how the callbacks came; lost ones are asked for.

    Break: in `app/messages/lifecycle.py`, `follow`, apply every report; or in
    `app/messages/reconciliation/reconcile.py`, `_repair`, leave out `self._report`.
    """
    cases = {f"{mode} {end}": Scenario(callbacks=mode, final=end) for mode in MODES for end in ENDS}
    with start_live_gateway(database, tmp_path) as live_gateway:
        for place, scenario in enumerate(cases.values()):
            live_gateway.emulator.scenarios.for_number(number(place), scenario)
        with ThreadPoolExecutor(len(cases)) as pool:
            replies = list(pool.map(live_gateway.send, cases, map(number, range(len(cases)))))
        lost = {key for key, one in cases.items() if one.callbacks is CallbackMode.LOST}
        assert live_gateway.emulator.wait_until_quiet(60)
        assert {key for key, end in _ends(live_gateway).items() if end.check_at_is_set} == lost
        live_gateway.reconcile()
        events = {one.key: _reasons(live_gateway, one.message_id or "") for one in replies}
    assert {one.status for one in replies} == {201}
    assert judge(replies, live_gateway.created(), live_gateway.held()).faults == ()
    ends = _ends(live_gateway)
    for final, expected in ENDS.items():
        assert {ends[f"{mode} {final}"] for mode in MODES} == {expected}
    assert all("duplicate" in events[f"{CallbackMode.DUPLICATED} {final}"] for final in ENDS)
    assert "regression" in events[f"{CallbackMode.REVERSED} {FinalStatus.DELIVERED}"]


def _ends(live_gateway: LiveGateway) -> dict[str, End]:
    return {
        row["body"]: End(
            status=row["status"],
            error_code=row["error_code"],
            num_segments=row["num_segments"],
            was_handed_off=row["handed_off_at"] is not None,
            was_delivered=row["delivered_at"] is not None,
            has_erred=row["errored_at"] is not None,
            from_number=row["from_number"],
            check_at_is_set=row["check_at"] is not None,
        )
        for row in live_gateway.rows().values()
    }


def _reasons(live_gateway: LiveGateway, message_id: str) -> list[str | None]:
    answer = live_gateway.get(f"/v1/sms/{message_id}/events")
    return [event["reason"] for event in answer.body["items"]]
