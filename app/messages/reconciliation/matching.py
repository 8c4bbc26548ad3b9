"""Matches the provider's messages with unsettled submissions. Pure.

A provider's message may be a submission if number, Messaging Service and time of a creation agree.
It fits if its text agrees too.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from app.kernel.phone import PhoneNumber
from app.messages.lifecycle import CALL_LIMIT
from app.providers.port import ProviderMessage

# The provider's times are whole seconds, and its clock may differ a little.
CLOCKS_DIFFER = timedelta(seconds=5)
_CALL_LASTS = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Unsettled:
    """``body`` is null if erased, ``messaging_service_sid`` if several were used."""

    message_id: UUID
    number: str
    body: str | None
    messaging_service_sid: str | None
    tried_at: tuple[datetime, ...]

    @property
    def created_at(self) -> datetime:
        return self.tried_at[0]


@dataclass(frozen=True, slots=True)
class Match:
    """``pairs`` are settled together; ``is_ambiguous`` if candidates cannot be distinguished."""

    pairs: tuple[tuple[Unsettled, ProviderMessage], ...] = ()
    is_ambiguous: bool = False


def may_be(submission: Unsettled, found: ProviderMessage) -> bool:
    """Compares everything but the text."""
    services = {submission.messaging_service_sid, found.messaging_service_sid} - {None}
    if len(services) > 1 or not _same_number(found.to_number, submission.number):
        return False
    at = found.created_at
    return at is None or any(
        tried_at - CLOCKS_DIFFER <= at <= tried_at + _CALL_LASTS for tried_at in submission.tried_at
    )


def _same_number(one: str, other: str) -> bool:
    return one == other or (PhoneNumber.parse(one) or one) == (PhoneNumber.parse(other) or other)


def fits(submission: Unsettled, found: ProviderMessage) -> bool:
    """Compares the text too."""
    return (
        may_be(submission, found)
        and found.created_at is not None
        and submission.messaging_service_sid in {None, found.messaging_service_sid}
        and _has_text(submission.body, found)
    )


def _has_text(sent: str | None, found: ProviderMessage) -> bool:
    """The provider may add a prefix, and smart encoding changes punctuation."""
    if sent is None or found.body == sent:
        return True
    text, letters = found.body.removeprefix(found.added_prefix), _letters(sent)
    return letters in (_letters(found.body), _letters(text)) if letters else text == sent


def _letters(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", text).casefold() if c.isalnum())


def match(
    wanted: Unsettled,
    submissions: Iterable[Unsettled],
    candidates: Iterable[ProviderMessage],
    now: datetime,
    *,
    is_last: bool,
) -> Match:
    """Pair submissions with fitting candidates, as far as they can be distinguished.

    As many candidates as submissions are paired by time, fewer when no more can be expected.
    Nothing is paired while a submission may still get its answer, which is better evidence.
    """
    group, fitting = _group(wanted, list(submissions), list(candidates))
    if not fitting:
        return Match()
    if any(one != wanted and one.tried_at[-1] > now - CALL_LIMIT for one in group):
        return Match()
    as_many = len(group) == len(fitting)
    if as_many or (is_last and len(group) > len(fitting) > 1):
        pairs = _pair(group, fitting, by_order=as_many)
        if len(pairs) == len(fitting):
            return Match(pairs=pairs, is_ambiguous=all(one != wanted for one, _ in pairs))
    return Match(is_ambiguous=True)


def _group(
    wanted: Unsettled, submissions: list[Unsettled], candidates: list[ProviderMessage]
) -> tuple[list[Unsettled], list[ProviderMessage]]:
    group, fitting = [wanted], list[ProviderMessage]()
    rest = [one for one in submissions if one.message_id != wanted.message_id]
    grown = True
    while grown:
        more = [c for c in candidates if c not in fitting and any(fits(one, c) for one in group)]
        fitting += more
        others = [one for one in rest if one not in group and any(fits(one, c) for c in fitting)]
        group += others
        grown = bool(more or others)
    return (
        sorted(group, key=lambda one: (one.created_at, one.message_id)),
        sorted(fitting, key=_place_in_time),
    )


def _place_in_time(found: ProviderMessage) -> tuple[float, str]:
    seconds = 0.0 if found.created_at is None else found.created_at.timestamp()
    return seconds, found.message_sid


def _pair(
    group: Sequence[Unsettled], fitting: Sequence[ProviderMessage], *, by_order: bool
) -> tuple[tuple[Unsettled, ProviderMessage], ...]:
    """Pair as many as possible (augmenting paths), by order or closest in time."""
    owner: dict[int, int] = {}  # index of a submission: index of its candidate

    def choices(candidate: ProviderMessage) -> list[int]:
        possible = [place for place, one in enumerate(group) if fits(one, candidate)]
        return possible if by_order else sorted(possible, key=lambda p: _apart(group[p], candidate))

    def assign(candidate: int, tried: set[int]) -> bool:
        # Try free submissions first, before moving another candidate.
        for place in sorted(choices(fitting[candidate]), key=lambda place: place in owner):
            if place in tried:
                continue
            tried.add(place)
            if place not in owner or assign(owner[place], tried):
                owner[place] = candidate
                return True
        return False

    for candidate in range(len(fitting)):
        assign(candidate, set())
    return tuple((group[place], fitting[found]) for place, found in sorted(owner.items()))


def _apart(submission: Unsettled, found: ProviderMessage) -> timedelta:
    created_at = found.created_at or submission.created_at
    return min(abs(created_at - at) for at in submission.tried_at)
