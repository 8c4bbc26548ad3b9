"""Judging a history of sends: replies to clients, messages at the provider, stored rows. Pure.

Each send of a history has its own text, which is also its idempotency key: it connects the three
sides even if a client never got an id.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

RANKS = {"pending": 0, "sent": 1, "delivered": 2, "undelivered": 2, "failed": 2}
NO_MESSAGE = frozenset({"refused", "never_processed", "not_confirmed"})


@dataclass(frozen=True, slots=True)
class Reply:
    """What one request got; ``status`` is None where the connection broke."""

    key: str
    status: int | None
    code: str | None = None
    message_id: str | None = None
    message_status: str | None = None


@dataclass(frozen=True, slots=True)
class Created:
    """One message that the provider accepted."""

    key: str
    message_id: str | None
    sid: str


@dataclass(frozen=True, slots=True)
class Held:
    """One submission of the database; ``applied`` are the statuses that it was moved to."""

    message_id: str
    key: str | None
    submission: str
    status: str
    sid: str | None
    applied: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """Lines on what is wrong, and the keys that a fault had left open and that ended well."""

    lost: tuple[str, ...] = ()
    doubled: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    unsettled: tuple[str, ...] = ()
    recovered: tuple[str, ...] = ()

    @property
    def faults(self) -> tuple[str, ...]:
        return self.lost + self.doubled + self.unexpected + self.unsettled


def judge(replies: Sequence[Reply], created: Sequence[Created], held: Sequence[Held]) -> Verdict:
    """Compare the three sides of a history that has come to its end."""
    rows = {row.message_id: row for row in held}
    return Verdict(
        lost=tuple(_lost(replies, {one.message_id for one in created}, rows)),
        doubled=tuple(_doubled(created)),
        unexpected=(
            *_unexpected_creates(created, rows),
            *_unexpected_rows(held, {one.message_id for one in created}),
            *_several_ids(replies),
        ),
        unsettled=tuple(
            f"{row.message_id} is {row.submission}"
            for row in held
            if row.submission in {"open", "unconfirmed"}
        ),
        recovered=tuple(sorted(_left_open(replies) & _accepted(held))),
    )


def _lost(
    replies: Sequence[Reply], created: Collection[str | None], rows: dict[str, Held]
) -> list[str]:
    found = []
    for one in replies:
        if one.status not in {201, 504} or one.message_id is None:
            continue
        if one.message_id not in rows:
            found.append(f"{one.key}: got {one.status}, not held")
        # An answer that says `failed` promises nothing.
        elif one.status == 201 and one.message_status != "failed" and one.message_id not in created:
            found.append(f"{one.key}: got 201, never created")
    return found


def _doubled(created: Sequence[Created]) -> list[str]:
    by_id = Counter(one.message_id for one in created)
    by_key = Counter(one.key for one in created)
    return [f"id {name} created {count} times" for name, count in by_id.items() if count > 1] + [
        f"key {name} created {count} times" for name, count in by_key.items() if count > 1
    ]


def _unexpected_creates(created: Sequence[Created], rows: dict[str, Held]) -> list[str]:
    found = []
    for one in created:
        row = rows.get(one.message_id or "")
        if row is None:
            found.append(f"{one.key}: created, not held")
        elif row.submission in NO_MESSAGE:
            found.append(f"{one.key}: created, held as {row.submission}")
        elif row.sid not in {None, one.sid}:
            found.append(f"{one.key}: held with another SID")
    return found


def _unexpected_rows(held: Sequence[Held], created: Collection[str | None]) -> list[str]:
    found = []
    for row in held:
        ranks = [RANKS[status] for status in row.applied]
        if ranks != sorted(set(ranks)):
            found.append(f"{row.message_id} moved {' > '.join(row.applied)}")
        elif row.applied and row.applied[-1] != row.status:
            found.append(f"{row.message_id} is {row.status}, last moved to {row.applied[-1]}")
        if row.submission == "accepted" and row.message_id not in created:
            found.append(f"{row.message_id} is accepted, never created")
    return found


def _several_ids(replies: Sequence[Reply]) -> list[str]:
    pairs = {(one.key, one.message_id) for one in replies if one.message_id is not None}
    counts = Counter(key for key, _ in pairs)
    return [f"{key}: got {count} ids" for key, count in counts.items() if count > 1]


def _left_open(replies: Sequence[Reply]) -> set[str]:
    return {one.key for one in replies if one.status in {None, 504}}


def _accepted(held: Sequence[Held]) -> set[str]:
    return {row.key for row in held if row.key is not None and row.submission == "accepted"}
