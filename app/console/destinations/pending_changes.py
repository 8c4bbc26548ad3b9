"""The form of Manage Destinations: pending changes, and the pressed button."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from flask import request
from werkzeug.datastructures import MultiDict

from app.console.destinations.view import DestinationsView
from app.console.ui.forms import read_text, refilled
from app.console.ui.pages import Form
from app.destinations.changes import Adjustment
from app.destinations.policy.state import DENIED
from app.kernel.countries import is_country
from app.kernel.errors import ValidationFailed

# The durations of a temporary allowance: hours and label.
DURATIONS: Mapping[int, str] = {
    1: "1 hour",
    4: "4 hours",
    24: "1 day",
    72: "3 days",
    168: "7 days",
    720: "30 days",
}
_TEMPORARY = re.compile(r"([A-Z]{2})\.([0-9]{1,3})", re.ASCII)
_REVISION = re.compile(r"[0-9]{1,9}", re.ASCII)


@dataclass(frozen=True, slots=True)
class PendingChanges:
    """Countries to allow, also for hours, and to block, based on a revision."""

    revision: int
    allow: tuple[str, ...] = ()
    hours: Mapping[str, int] = field(default_factory=dict)
    block: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.allow or self.hours or self.block)

    @property
    def text(self) -> str:
        """Identifies the pending changes and their revision."""
        hours = ",".join(f"{code}.{self.hours[code]}" for code in sorted(self.hours))
        allow, block = ",".join(sorted(self.allow)), ",".join(sorted(self.block))
        return f"{self.revision};{allow};{hours};{block}"

    @property
    def opened(self) -> tuple[str, ...]:
        return (*self.allow, *self.hours)

    @property
    def countries(self) -> set[str]:
        return {*self.opened, *self.block}

    def adjustment(self, now: datetime) -> Adjustment:
        """Hours count from now."""
        until = {code: now + timedelta(hours=hours) for code, hours in self.hours.items()}
        return Adjustment(self.allow, until, self.block)

    def without(self, code: str) -> "PendingChanges":
        return replace(
            self,
            allow=tuple(one for one in self.allow if one != code),
            hours={one: hours for one, hours in self.hours.items() if one != code},
            block=tuple(one for one in self.block if one != code),
        )

    def allowing(self, code: str, hours: int | None) -> "PendingChanges":
        others = self.without(code)
        if hours is None:
            return replace(others, allow=(*others.allow, code))
        return replace(others, hours={**others.hours, code: hours})

    def blocking(self, code: str) -> "PendingChanges":
        others = self.without(code)
        return replace(others, block=(*others.block, code))

    def seen_from(
        self, revision: int, allowed: Mapping[str, datetime | None], listed: Collection[str]
    ) -> "PendingChanges":
        """Rebase on a revision; drop the changes that it contains.

        ``allowed`` maps countries to their end (None: permanent); ``listed`` can be
        removed.
        """
        for_good = {code for code, until in allowed.items() if until is None}
        return PendingChanges(
            revision,
            tuple(code for code in self.allow if code not in for_good),
            {code: hours for code, hours in self.hours.items() if code not in for_good},
            tuple(code for code in self.block if code in listed),
        )


def read_pending_changes(form: MultiDict[str, str]) -> PendingChanges:
    """Invalid ones are ignored."""
    given = form.get("revision", "")
    pending_changes = PendingChanges(int(given) if _REVISION.fullmatch(given) else 0)
    for code in filter(is_country, form.getlist("allow")):
        pending_changes = pending_changes.allowing(code, None)
    for text in form.getlist("temporary"):
        found = _TEMPORARY.fullmatch(text)
        if found and is_country(found[1]) and int(found[2]) in DURATIONS:
            pending_changes = pending_changes.allowing(found[1], int(found[2]))
    for code in filter(is_country, form.getlist("block")):
        pending_changes = pending_changes.blocking(code)
    return pending_changes


_MAX_REASON = 500
SAVE = "save"


@dataclass(frozen=True, slots=True)
class Draft:
    """The content of the form; ``shown`` identifies the previewed changes."""

    pending_changes: PendingChanges
    step: str = ""
    country: str = ""
    hours: int | None = None
    shown: str = ""
    reason: str | None = None
    acknowledged: tuple[str, ...] = ()
    form: Form = field(default_factory=Form)

    @property
    def is_ready(self) -> bool:
        """Whether to save: the page has shown all changes."""
        is_asked = self.step == SAVE and not self.country and not self.form.errors
        return is_asked and self.was_shown

    @property
    def was_shown(self) -> bool:
        return bool(self.pending_changes) and self.shown == self.pending_changes.text

    def after_step(self, view: DestinationsView) -> "Draft":
        """Apply the pressed button.

        A country that is still selected when saving counts as added.
        """
        step, _, code = self.step.partition(":")
        draft = self
        if step == "toggle":  # a click on the map
            is_pending = code in self.pending_changes.countries
            step = "undo" if is_pending else "remove" if code in view.listed else "add"
        if step == "add" or (step == SAVE and self.country):
            draft = self._adding(view, code or self.country)
        elif step == "remove" and code in view.listed:
            draft = replace(self, pending_changes=self.pending_changes.blocking(code))
        elif step in {"remove", "undo"}:
            draft = replace(self, pending_changes=self.pending_changes.without(code))
        elif step == SAVE and not self.pending_changes:
            draft = self._with_problem("", "There is nothing to save.")
        counted = view.effective.revision
        return replace(
            draft,
            pending_changes=draft.pending_changes.seen_from(counted, view.allowed, view.listed),
        )

    def _adding(self, view: DestinationsView, code: str) -> "Draft":
        if not is_country(code):
            return self._with_problem("country", "Select a country.")
        if code in view.effective.denied_by_organization:
            return self._with_problem("country", DENIED)
        if code in self.pending_changes.block:  # it is only marked: removing the mark is enough
            return replace(self, pending_changes=self.pending_changes.without(code), country="")
        if code in view.allowed and view.allowed[code] is None:
            return self._with_problem("country", "This country is already allowed.")
        return replace(
            self,
            pending_changes=self.pending_changes.allowing(code, self.hours),
            country="",
            hours=None,
        )

    def _with_problem(self, name: str, problem: str) -> "Draft":
        return replace(self, form=Form(self.form.values, {name: [problem]}))


def read_draft() -> Draft:
    given = request.form
    wrong: Mapping[str, list[str]] = {}
    try:
        reason = read_text("reason")[:_MAX_REASON] or None
    except ValidationFailed as problem:
        reason, wrong = None, refilled(problem).errors
    hours = given.get("hours", "")
    return Draft(
        pending_changes=read_pending_changes(given),
        step=given.get("step", SAVE),
        country=given.get("country", ""),
        hours=int(hours) if hours in {str(one) for one in DURATIONS} else None,
        shown=given.get("shown", ""),
        reason=reason,
        acknowledged=tuple(given.getlist("acknowledge")),
        form=Form({"reason": given.get("reason", "")}, wrong),
    )
