"""The provider accepts without an answer: reported as unconfirmed, created once, settled."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from app.db.engine import Database
from app.emulator.scenarios import CallbackMode, CreateAnswer, Scenario
from support.history import Reply, judge
from support.live_gateway import LiveGateway, number, start_live_gateway
from support.polling import eventually

AFTER_ACCEPTING = (
    CreateAnswer.TIMEOUT_AFTER_ACCEPTING,
    CreateAnswer.ERROR_500_AFTER_ACCEPTING,
    CreateAnswer.RESET_AFTER_ACCEPTING,
    CreateAnswer.NONSENSE_AFTER_ACCEPTING,
)
# Longer than the gateway waits for an answer.
HANGS_SECONDS = 13
MANY = 60  # more than one page of the list


def test_unanswered_create_call_is_made_once_and_settled(
    database: Database, tmp_path: Path
) -> None:
    """Each kind of silence answers 504; callbacks settle, and where there are none, the list does.

    Break: in `app/providers/twilio/client.py`, `_outcome_of`, return `NeverProcessed()` in the last
    case; or in `app/messages/reconciliation/reconcile.py`, `_settle`, leave out `self._report`.
    """
    cases = {
        f"{create} {callbacks}": Scenario(
            create=create, callbacks=callbacks, hold_seconds=HANGS_SECONDS
        )
        for create in AFTER_ACCEPTING
        for callbacks in (CallbackMode.IN_ORDER, CallbackMode.LOST)
    }
    with start_live_gateway(database, tmp_path) as live_gateway:
        numbers = {key: number(place) for place, key in enumerate(cases)}
        for key, scenario in cases.items():
            live_gateway.emulator.scenarios.for_number(numbers[key], scenario)
        replies = _all(live_gateway, numbers)
        assert {one.key: (one.status, one.code) for one in replies} == dict.fromkeys(
            cases, (504, "SubmissionUnconfirmed")
        )
        ids = {one.key: one.message_id or "" for one in replies}
        called_back = {ids[key] for key in cases if key.endswith(CallbackMode.IN_ORDER)}
        eventually(lambda: _ended(live_gateway) == called_back)
        waiting = _all(
            live_gateway, {key: to for key, to in numbers.items() if ids[key] not in called_back}
        )
        assert {(one.status, one.message_id) for one in waiting} == {
            (504, ids[one.key]) for one in waiting
        }
        live_gateway.reconcile()
        again = _all(live_gateway, numbers)
    verdict = judge(replies + waiting + again, live_gateway.created(), live_gateway.held())
    assert verdict.faults == ()
    assert verdict.recovered == tuple(sorted(cases))
    assert live_gateway.emulator.messages.attempted == len(cases)
    assert {one.key: (one.status, one.message_id) for one in again} == {
        key: (201, ids[key]) for key in cases
    }
    assert {row.status for row in live_gateway.held()} == {"delivered"}


def test_many_sends_to_one_number_are_each_found_by_the_list(
    sqlite_url: str, tmp_path: Path
) -> None:
    """However many came after it, a message is distinguished by its text.

    Break: in `app/providers/twilio/messages.py`, set `_PAGE` to 20 and `_MOST_PAGES` to 1.
    """
    create = CreateAnswer.ERROR_500_AFTER_ACCEPTING
    database = Database(sqlite_url, pool_size=8)
    with start_live_gateway(database, tmp_path) as live_gateway:
        live_gateway.emulator.scenarios.set_default(
            Scenario(create=create, callbacks=CallbackMode.LOST)
        )
        with ThreadPoolExecutor(8) as pool:
            replies = list(pool.map(live_gateway.send, map(str, range(MANY))))
        assert live_gateway.emulator.wait_until_quiet(60)
        live_gateway.reconcile()
    verdict = judge(replies, live_gateway.created(), live_gateway.held())
    assert verdict.faults == ()
    assert len(verdict.recovered) == MANY
    database.close()


def _all(live_gateway: LiveGateway, numbers: dict[str, str]) -> list[Reply]:
    with ThreadPoolExecutor(len(numbers)) as pool:
        return list(pool.map(live_gateway.send, numbers.keys(), numbers.values()))


def _ended(live_gateway: LiveGateway) -> set[str]:
    return {row.message_id for row in live_gateway.held() if row.status == "delivered"}
