"""Unsaved changes of Manage Destinations, kept in the form only.

They are differences to one revision, so that they can be applied to another.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from werkzeug.datastructures import MultiDict

from app.destinations.adjust import Adjustment
from app.kernel.countries import is_country

# Hours for which a country can be allowed, and what each is called.
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
class Wishes:
    """Countries to allow for good, for some hours, and to block, as seen from a revision."""

    revision: int
    allow: tuple[str, ...] = ()
    hours: Mapping[str, int] = field(default_factory=dict)
    block: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Say whether anything is wished for."""
        return bool(self.allow or self.hours or self.block)

    @property
    def text(self) -> str:
        """Return the same text for the same wishes about the same revision."""
        hours = ",".join(f"{code}.{self.hours[code]}" for code in sorted(self.hours))
        allow, block = ",".join(sorted(self.allow)), ",".join(sorted(self.block))
        return f"{self.revision};{allow};{hours};{block}"

    @property
    def opened(self) -> tuple[str, ...]:
        """Return the countries to allow, for good or for a time."""
        return (*self.allow, *self.hours)

    @property
    def countries(self) -> set[str]:
        """Return every country that is wished about."""
        return {*self.opened, *self.block}

    def adjustment(self, now: datetime) -> Adjustment:
        """Return the changes to make; hours count from now."""
        until = {code: now + timedelta(hours=hours) for code, hours in self.hours.items()}
        return Adjustment(self.allow, until, self.block)

    def without(self, code: str) -> "Wishes":
        """Forget the wish about a country."""
        return replace(
            self,
            allow=tuple(one for one in self.allow if one != code),
            hours={one: hours for one, hours in self.hours.items() if one != code},
            block=tuple(one for one in self.block if one != code),
        )

    def allowing(self, code: str, hours: int | None) -> "Wishes":
        """Wish for a country, for good or for some hours."""
        others = self.without(code)
        if hours is None:
            return replace(others, allow=(*others.allow, code))
        return replace(others, hours={**others.hours, code: hours})

    def blocking(self, code: str) -> "Wishes":
        """Wish a country away."""
        others = self.without(code)
        return replace(others, block=(*others.block, code))

    def seen_from(
        self, revision: int, allowed: Mapping[str, datetime | None], listed: Collection[str]
    ) -> "Wishes":
        """Rebase the pending changes on a revision; those that it already contains are dropped.

        Args:
            revision: the current revision.
            allowed: allowed countries with their end; None is permanent.
            listed: the countries that can be removed from its list.
        """
        for_good = {code for code, until in allowed.items() if until is None}
        return Wishes(
            revision,
            tuple(code for code in self.allow if code not in for_good),
            {code: hours for code, hours in self.hours.items() if code not in for_good},
            tuple(code for code in self.block if code in listed),
        )


def read_wishes(form: MultiDict[str, str]) -> Wishes:
    """Read the pending changes of a form; invalid ones are ignored."""
    given = form.get("revision", "")
    wishes = Wishes(int(given) if _REVISION.fullmatch(given) else 0)
    for code in filter(is_country, form.getlist("allow")):
        wishes = wishes.allowing(code, None)
    for text in form.getlist("temporary"):
        found = _TEMPORARY.fullmatch(text)
        if found and is_country(found[1]) and int(found[2]) in DURATIONS:
            wishes = wishes.allowing(found[1], int(found[2]))
    for code in filter(is_country, form.getlist("block")):
        wishes = wishes.blocking(code)
    return wishes
