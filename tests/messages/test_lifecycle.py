"""The whole table of a message's life, and every word that Twilio has for it."""

from app.messages.lifecycle import Decision, Reason, ReportEffects, effects_of, transition
from app.providers.port import Status
from support.each import each

APPLIED = Decision(applied=True, reason=None, adds_effects=True)
NOTHING = Decision(applied=False, reason=None, adds_effects=False)
DUPLICATE = Decision(applied=False, reason=Reason.DUPLICATE, adds_effects=True)
REGRESSION = Decision(applied=False, reason=Reason.REGRESSION, adds_effects=False)
LATE_SENT = Decision(applied=False, reason=Reason.REGRESSION, adds_effects=True)
CONFLICT = Decision(applied=False, reason=Reason.CONFLICT, adds_effects=False)

# Rows: the status that a message has. Columns: the reported one, in the order of `Status`.
TABLE = {
    Status.PENDING: (NOTHING, APPLIED, APPLIED, APPLIED, APPLIED),
    Status.SENT: (REGRESSION, DUPLICATE, APPLIED, APPLIED, APPLIED),
    Status.DELIVERED: (REGRESSION, LATE_SENT, DUPLICATE, CONFLICT, CONFLICT),
    Status.UNDELIVERED: (REGRESSION, LATE_SENT, CONFLICT, DUPLICATE, CONFLICT),
    Status.FAILED: (REGRESSION, LATE_SENT, CONFLICT, CONFLICT, DUPLICATE),
}
CELLS = [
    (current, reported, expected)
    for current, row in TABLE.items()
    for reported, expected in zip(Status, row, strict=True)
]


def test_the_table_has_every_pair_of_statuses() -> None:
    assert len(CELLS) == 25


@each(("current", "reported", "expected"), CELLS)
def test_effect_of_a_report_depends_on_both_statuses(
    current: Status, reported: Status, expected: Decision
) -> None:
    assert transition(current, reported) == expected


def test_a_status_is_applied_only_upward() -> None:
    moves = {(c, r) for c in Status for r in Status if transition(c, r).applied}
    assert moves == {(c, r) for c in Status for r in Status if r.rank > c.rank}
    assert [status for status in Status if status.is_terminal] == [
        Status.DELIVERED,
        Status.UNDELIVERED,
        Status.FAILED,
    ]


def test_facts_come_with_their_status() -> None:
    assert {status: effects_of(status) for status in Status} == {
        Status.PENDING: ReportEffects(hand_off=False, delivery=False, error=False),
        Status.SENT: ReportEffects(hand_off=True, delivery=False, error=False),
        Status.DELIVERED: ReportEffects(hand_off=True, delivery=True, error=False),
        Status.UNDELIVERED: ReportEffects(hand_off=True, delivery=False, error=True),
        Status.FAILED: ReportEffects(hand_off=False, delivery=False, error=True),
    }
