"""The judge of histories sees each kind of fault, and none where there is none."""

from dataclasses import replace

from support.history import Created, Held, Reply, Verdict, judge

REPLY = Reply("k", 201, message_id="1", message_status="pending")
CREATED = Created("k", "1", "SM1")
HELD = Held("1", "k", "accepted", "delivered", "SM1", ("sent", "delivered"))


def test_a_history_without_a_fault_has_none() -> None:
    assert judge([REPLY], [CREATED], [HELD]) == Verdict()


def test_answered_id_without_a_stored_message_is_lost() -> None:
    for status in (201, 504):
        verdict = judge([replace(REPLY, status=status)], [], [])
        assert verdict.lost == (f"k: got {status}, not held",)


def test_a_201_that_the_provider_never_got_is_lost() -> None:
    gone = replace(HELD, submission="not_confirmed", status="failed", applied=("failed",))
    assert judge([REPLY], [], [gone]).lost == ("k: got 201, never created",)


def test_replay_with_a_failed_message_is_no_acceptance() -> None:
    gone = replace(HELD, submission="not_confirmed", status="failed", applied=("failed",))
    assert judge([replace(REPLY, message_status="failed")], [], [gone]) == Verdict()


def test_two_creates_for_one_id_and_for_one_key_are_doubled() -> None:
    twice = judge([REPLY], [CREATED, replace(CREATED, sid="SM2")], [replace(HELD, sid=None)])
    assert twice.doubled == ("id 1 created 2 times", "key k created 2 times")
    other = replace(CREATED, message_id="2", sid="SM2")
    rows = [HELD, replace(HELD, message_id="2", sid="SM2")]
    assert judge([REPLY], [CREATED, other], rows).doubled == ("key k created 2 times",)


def test_a_create_that_is_not_held_or_held_as_no_message_is_unexpected() -> None:
    assert judge([], [CREATED], []).unexpected == ("k: created, not held",)
    for state in ("refused", "never_processed", "not_confirmed"):
        row = replace(HELD, submission=state)
        assert judge([], [CREATED], [row]).unexpected == (f"k: created, held as {state}",)
    row = replace(HELD, sid="SM2")
    assert judge([], [CREATED], [row]).unexpected == ("k: held with another SID",)


def test_stored_as_accepted_but_never_created_is_unexpected() -> None:
    assert judge([], [], [HELD]).unexpected == ("1 is accepted, never created",)


def test_a_status_that_went_down_or_ended_twice_is_unexpected() -> None:
    for moves in (("delivered", "sent"), ("delivered", "failed"), ("sent", "sent")):
        row = replace(HELD, applied=moves, status=moves[-1])
        assert judge([], [CREATED], [row]).unexpected == (f"1 moved {' > '.join(moves)}",)
    row = replace(HELD, applied=("sent",))
    assert judge([], [CREATED], [row]).unexpected == ("1 is delivered, last moved to sent",)


def test_two_ids_for_one_key_are_unexpected() -> None:
    other = replace(HELD, message_id="2", submission="not_confirmed", status="failed", applied=())
    replies = [REPLY, replace(REPLY, status=504, message_id="2")]
    assert judge(replies, [CREATED], [HELD, other]).unexpected == ("k: got 2 ids",)


def test_open_submission_is_unsettled() -> None:
    for state in ("open", "unconfirmed"):
        row = replace(HELD, submission=state, status="pending", applied=())
        assert judge([], [CREATED], [row]).unsettled == (f"1 is {state}",)


def test_open_submission_that_was_delivered_is_recovered() -> None:
    for left in (Reply("k", None), replace(REPLY, status=504)):
        verdict = judge([left, REPLY], [CREATED], [HELD])
        assert verdict.recovered == ("k",)
        assert verdict.faults == ()


def test_faults_are_those_of_every_kind() -> None:
    verdict = Verdict(("a",), ("b",), ("c",), ("d",), ("e",))
    assert verdict.faults == ("a", "b", "c", "d")
