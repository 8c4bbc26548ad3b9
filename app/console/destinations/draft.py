"""The form of Manage Destinations: pending changes, and the pressed button."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from flask import request

from app.console.destinations.sight import Sight
from app.console.destinations.wishes import DURATIONS, Wishes, read_wishes
from app.console.forms import Form, read_text, refilled
from app.destinations.problems import DENIED
from app.kernel.countries import is_country
from app.kernel.errors import ValidationFailed

_MAX_REASON = 500
SAVE = "save"


@dataclass(frozen=True, slots=True)
class Draft:
    """The content of the form; ``shown`` identifies the changes that the page has previewed."""

    wishes: Wishes
    step: str = ""
    country: str = ""
    hours: int | None = None
    shown: str = ""
    reason: str | None = None
    acknowledged: tuple[str, ...] = ()
    form: Form = field(default_factory=Form)

    @property
    def is_ready(self) -> bool:
        """Say whether to save: it was asked for, and all of it was shown."""
        is_asked = self.step == SAVE and not self.country and not self.form.errors
        return is_asked and self.was_shown

    @property
    def was_shown(self) -> bool:
        """Say whether the page has shown just these wishes."""
        return bool(self.wishes) and self.shown == self.wishes.text

    def after_step(self, sight: Sight) -> "Draft":
        """Apply the pressed button to the pending changes.

        A country that is still selected when saving counts as added.
        """
        step, _, code = self.step.partition(":")
        draft = self
        if step == "add" or (step == SAVE and self.country):
            draft = self._adding(sight)
        elif step == "remove" and code in sight.listed:
            draft = replace(self, wishes=self.wishes.blocking(code))
        elif step in {"remove", "undo"}:
            draft = replace(self, wishes=self.wishes.without(code))
        elif step == SAVE and not self.wishes:
            draft = self._told("", "There is nothing to save.")
        counted = sight.effective.revision
        return replace(draft, wishes=draft.wishes.seen_from(counted, sight.allowed, sight.listed))

    def _adding(self, sight: Sight) -> "Draft":
        code = self.country
        if not is_country(code):
            return self._told("country", "Select a country.")
        if code in sight.effective.floor:
            return self._told("country", DENIED)
        if code in self.wishes.block:  # it was only marked: unmarked, it stays as it is
            return replace(self, wishes=self.wishes.without(code), country="")
        if code in sight.allowed and sight.allowed[code] is None:
            return self._told("country", "This country is already allowed.")
        return replace(self, wishes=self.wishes.allowing(code, self.hours), country="", hours=None)

    def _told(self, name: str, problem: str) -> "Draft":
        return replace(self, form=Form(self.form.values, {name: [problem]}))


def read_draft() -> Draft:
    """Read the submitted form."""
    given = request.form
    wrong: Mapping[str, list[str]] = {}
    try:
        reason = read_text("reason")[:_MAX_REASON] or None
    except ValidationFailed as problem:
        reason, wrong = None, refilled(problem).errors
    hours = given.get("hours", "")
    return Draft(
        wishes=read_wishes(given),
        step=given.get("step", SAVE),
        country=given.get("country", ""),
        hours=int(hours) if hours in {str(one) for one in DURATIONS} else None,
        shown=given.get("shown", ""),
        reason=reason,
        acknowledged=tuple(given.getlist("acknowledge")),
        form=Form({"reason": given.get("reason", "")}, wrong),
    )
