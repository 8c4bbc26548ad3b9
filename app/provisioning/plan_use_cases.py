"""Plan of use cases and their sender pools. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from app.kernel.ids import new_id
from app.provisioning.desired import (
    ANY_DESTINATION,
    DesiredRegistration,
    DesiredSender,
    DesiredUseCase,
    DesiredWorkspace,
)
from app.provisioning.problems import FileProblems, step
from app.provisioning.records import Current, SenderRecord, Step, UseCaseRecord
from app.use_cases.manage import DENIED_BY_ORGANIZATION
from app.use_cases.registration import Registration, registration_columns
from app.use_cases.sender_numbers import sender_country


def plan_senders(
    desired: Sequence[DesiredSender],
    pool: Sequence[SenderRecord],
    use_case_id: UUID,
    place: str,
) -> list[Step[SenderRecord]]:
    """Turn a list of senders into steps; stored senders that it leaves out are removed."""
    before = {sender.number: sender for sender in pool}
    wanted = {sender.number for sender in desired}
    steps = [
        Step(place, sender, sender, is_removal=True)
        for sender in pool
        if sender.number not in wanted
    ]
    for sender in desired:
        known = before.get(sender.number)
        after = SenderRecord(
            id=known.id if known else new_id(),
            use_case_id=use_case_id,
            number=sender.number,
            type=sender.type.value,
            country=sender_country(sender.number, sender.type),
        )
        steps.append(Step(sender.place, known, after))
    return steps


@dataclass(frozen=True, slots=True)
class UseCasePlan:
    """Steps for use cases and senders."""

    use_cases: list[Step[UseCaseRecord]]
    senders: list[Step[SenderRecord]]


class UseCasePlanner:
    """Turns the use cases of one workspace into steps."""

    def __init__(
        self, workspace_id: UUID, floor: Iterable[str], current: Current, problems: FileProblems
    ) -> None:
        self._workspace_id = workspace_id
        self._floor = frozenset(floor)
        self._stored = current
        self._mistakes = problems

    def aim(self, workspace: DesiredWorkspace, now: datetime) -> UseCasePlan:
        """Find each use case by its id or name, or make it; ``deleted`` ones are marked so."""
        aims = UseCasePlan([], [])
        claimed = {entry.id for entry in workspace.use_cases}
        for entry in workspace.use_cases:
            if self._is_elsewhere(entry):
                text = "Is the id of a use case of another workspace."
                self._mistakes.add(step(entry.place, "id"), text)
                continue
            before = self._find(entry, claimed)
            if entry.deleted:
                aims.use_cases.extend(self._aim_deletion(entry, before, now))
                continue
            aim = self._aim(entry, before)
            aims.use_cases.append(aim)
            aims.senders.extend(self._aim_pool(entry, aim.after.id))
        return aims

    def _is_elsewhere(self, entry: DesiredUseCase) -> bool:
        known = None if entry.id is None else self._stored.use_cases.get(entry.id)
        return known is not None and known.workspace_id != self._workspace_id

    def _find(self, entry: DesiredUseCase, claimed: set[UUID | None]) -> UseCaseRecord | None:
        holders = [
            known
            for known in self._stored.use_cases.values()
            if (known.workspace_id, known.name) == (self._workspace_id, entry.name)
            and known.deleted_at is None
            and known.id not in claimed
        ]
        at_name = step(entry.place, "name")
        if entry.id is not None:
            if holders and not entry.deleted:
                text = f"Is the name of another use case, whose id is {holders[0].id}."
                self._mistakes.add(at_name, text)
            return self._stored.use_cases.get(entry.id)
        if len(holders) > 1:
            self._mistakes.add(at_name, "Several use cases have this name: give the id.")
        return holders[0] if holders else None

    def _aim_deletion(
        self, entry: DesiredUseCase, before: UseCaseRecord | None, now: datetime
    ) -> list[Step[UseCaseRecord]]:
        if before is None or before.deleted_at is not None:
            known_by = entry.id or entry.name
            self._mistakes.require(known_by, entry.place, "Needs the id or the name to delete.")
            return []
        return [Step(entry.place, before, replace(before, deleted_at=now))]

    def _aim(self, entry: DesiredUseCase, before: UseCaseRecord | None) -> Step[UseCaseRecord]:
        at_sid = step(entry.place, "messaging_service_sid")
        if before is None:
            text = "Is needed for a use case that is new."
            self._mistakes.require(entry.name, step(entry.place, "name"), text)
            self._mistakes.require(entry.messaging_service_sid, at_sid, text)
            before_or_new = UseCaseRecord(entry.id or new_id(), self._workspace_id, "", "")
        else:
            before_or_new = before
        if before_or_new.deleted_at is not None and entry.deleted is None:
            text = "Is the id of a deleted use case: say deleted = false to bring it back, or true."
            self._mistakes.add(step(entry.place, "id"), text)
        return Step(entry.place, before, replace(before_or_new, **self._given(entry, before)))

    def _given(self, entry: DesiredUseCase, before: UseCaseRecord | None) -> dict[str, Any]:
        plain = {
            "name": entry.name,
            "messaging_service_sid": entry.messaging_service_sid,
            "active": entry.active,
            "on_unconfirmed": entry.on_unconfirmed and entry.on_unconfirmed.value,
        }
        given: dict[str, Any] = {name: value for name, value in plain.items() if value is not None}
        given["deleted_at"] = None
        for kind, registration in (("brand", entry.brand), ("campaign", entry.campaign)):
            if registration is not None:
                wanted, current = _wanted(registration), _stored(before, kind)
                given |= registration_columns(kind, wanted, current)
        if entry.allowed_destinations == ANY_DESTINATION:
            given["allowed_destinations"] = None
        elif entry.allowed_destinations is not None:
            self._check_denied(entry)
            given["allowed_destinations"] = tuple(sorted(set(entry.allowed_destinations)))
        return given

    def _check_denied(self, entry: DesiredUseCase) -> None:
        for index, country in enumerate(entry.allowed_destinations or ()):
            if country in self._floor:
                at = step(step(entry.place, "allowed_destinations"), index)
                self._mistakes.add(at, DENIED_BY_ORGANIZATION)

    def _aim_pool(self, entry: DesiredUseCase, use_case_id: UUID) -> list[Step[SenderRecord]]:
        if entry.senders is None:
            return []
        pool = [known for known in self._stored.senders if known.use_case_id == use_case_id]
        return plan_senders(entry.senders, pool, use_case_id, step(entry.place, "senders"))


def _stored(before: UseCaseRecord | None, kind: str) -> Registration | None:
    sid = None if before is None else getattr(before, f"{kind}_sid")
    return None if sid is None else Registration(sid, getattr(before, f"{kind}_status"))


def _wanted(given: DesiredRegistration) -> Registration | None:
    return Registration(given.sid, given.status) if given.sid else None
