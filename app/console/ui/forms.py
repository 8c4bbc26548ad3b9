"""Forms and searches: read with the API's schemas, dates in the user's time zone, or UTC."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import wraps
from typing import Any, ClassVar, TypeAlias
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

from flask import Response, request
from marshmallow import Schema, ValidationError, fields, post_load

from app.console.ui.pages import Form, link, state_of
from app.kernel.clock import rfc3339, shifted
from app.kernel.countries import COUNTRIES, country_name
from app.kernel.errors import ValidationFailed
from app.kernel.texts import UNSTORABLE, is_storable
from app.kernel.whole_numbers import read_whole_number
from app.users.current_user import CurrentUser
from app.web.bodies import load
from app.web.fields import E164Text, PhoneNumberField, StrictSchema
from app.web.pages import PageToken, page as keyset_page

_MAX_REASON = 500
_STEP = re.compile(r"^\$\.?([A-Za-z_0-9]*)")
# Converts a JSON path and a problem to the path or field of the form, and the text there.
Renaming: TypeAlias = Callable[[str, str], tuple[str, str]]
# A shorter text has no country code.
_FEWEST_DIGITS = 7
_BETWEEN_DIGITS = re.compile(r"[\s().\-\u2010-\u2015\u00a0/]+")
_UNKNOWN_ZONE = "Must be an IANA time zone, for example Europe/Berlin."
Options = list[tuple[object, str]]
_CHANGED_SINCE = (
    "Somebody else has changed this since you opened the page. Nothing was saved. Reload the page"
    " to see the change, or save again to overwrite it."
)
_TOKEN = "page_token"  # noqa: S105 (a position in a list)
_ZONE = "zone"  # the time zone of the dates, which is no filter by itself


def read_form(schema: type[Schema], **more: object) -> Any:
    """Load the form and ``more``; empty fields are left out. Raises `ValidationFailed`."""
    made = schema()
    given: dict[str, Any] = {}
    for name, one in made.fields.items():
        if isinstance(one, fields.List):
            given[name] = [text for text in request.form.getlist(name) if text]
        elif request.form.get(name):
            given[name] = request.form[name]
    return load(made, given | more)


def read_secret(name: str) -> str:
    """Return a field as it was entered; raises `ValidationFailed`."""
    text = request.form.get(name, "")
    if not is_storable(text):
        raise ValidationFailed({f"$.{name}": [UNSTORABLE]})
    return text


def check_unchanged(*stored: object) -> None:
    """Raises `ValidationFailed` if the form, by its field ``shown``, was made from other values."""
    if request.form.get("shown", state := state_of(*stored)) != state:
        raise ValidationFailed({"": [_CHANGED_SINCE]})


def read_reason() -> str | None:
    return read_secret("reason").strip()[:_MAX_REASON] or None


def read_search(schema: type[Schema]) -> Any:
    """Load the query string; empty fields are left out. Raises `ValidationFailed`."""
    return load(schema(), {name: text for name, text in request.args.items() if text})


def number_in(text: str) -> int | str:
    """Leave a text that is no number to the validation."""
    number = read_whole_number(text)
    return text if number is None else number


def refilled(problem: ValidationFailed, renaming: Renaming = lambda *pair: pair) -> Form:
    errors: dict[str, list[str]] = {}
    for path, texts in (problem.details or {}).items():
        for place, text in (renaming(path, text) for text in texts):
            found = _STEP.match(place)
            errors.setdefault(found.group(1) if found else place, []).append(text)
    return Form(request.args if request.method == "GET" else request.form, errors)


def refilling(
    page: Callable[..., Response], form: str = "form", renaming: Renaming = lambda *pair: pair
) -> Callable[[Callable[..., Response]], Callable[..., Response]]:
    """Show the page again, with the problems at its form, if a view raises `ValidationFailed`."""

    def decorate(view: Callable[..., Response]) -> Callable[..., Response]:
        @wraps(view)
        def serve(current_user: CurrentUser, **path: UUID) -> Response:
            try:
                return view(current_user, **path)
            except ValidationFailed as problem:
                return page(current_user, **path, status=422, **{form: refilled(problem, renaming)})

        return serve

    return decorate


def without_separators(text: str) -> str:
    """Remove separators; a leading ``00`` becomes ``+``."""
    tidied = _BETWEEN_DIGITS.sub("", text)
    return "+" + tidied.removeprefix("00") if tidied.startswith("00") else tidied


class PhoneNumberInput(PhoneNumberField):
    """A canonical phone number, possibly with separators or without its ``+``."""

    def deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        tidied = _parsed_number(value)
        if isinstance(tidied, str) and tidied.isdecimal() and len(tidied) >= _FEWEST_DIGITS:
            tidied = "+" + tidied
        return super().deserialize(tidied, *args, **kwargs)


class E164Input(E164Text):
    """A text in E.164 form, possibly with separators."""

    def deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        return super().deserialize(_parsed_number(value), *args, **kwargs)


def _parsed_number(value: Any) -> Any:
    return without_separators(value) if isinstance(value, str) else value


class TimeZone(fields.Field[ZoneInfo]):
    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> ZoneInfo:
        try:
            return ZoneInfo(str(value))
        except (ValueError, OSError, KeyError) as problem:
            raise ValidationError(_UNKNOWN_ZONE) from problem


def parse_time(name: str) -> dict[str, str]:
    """Convert a date and time field to an API value, or {}; raises `ValidationFailed`."""
    given = request.form.get(name, "")
    if not given:
        return {}
    try:
        zone = TimeZone().deserialize(request.form.get("zone") or "UTC")
    except ValidationError as problem:
        raise ValidationFailed({"$.zone": [_UNKNOWN_ZONE]}) from problem
    try:
        entered = datetime.fromisoformat(given)
    except ValueError:
        return {name: given}
    if entered.tzinfo is not None:
        return {name: given}
    return {name: rfc3339(_in_utc(entered, zone))}


def just_before(day: date | None, zone: ZoneInfo | None = None) -> datetime | None:
    return None if day is None else shifted(_midnight(day, zone), -timedelta(milliseconds=1))


def just_after(day: date | None, zone: ZoneInfo | None = None) -> datetime | None:
    if day is None:
        return None
    if day == date.max:
        return shifted(_midnight(day, zone), timedelta(days=1))
    return _midnight(day + timedelta(days=1), zone)


def _midnight(day: date, zone: ZoneInfo | None) -> datetime:
    return _in_utc(datetime(day.year, day.month, day.day), zone)  # noqa: DTZ001


def _in_utc(entered: datetime, zone: ZoneInfo | None) -> datetime:
    offset = None if zone is None else entered.replace(tzinfo=zone).utcoffset()
    return shifted(entered.replace(tzinfo=UTC), -(offset or timedelta()))


def options_of(first: str, values: Iterable[str]) -> Options:
    return [("", first), *((value, value) for value in map(str, values))]


def use_case_options(first: str, names: Mapping[UUID, str]) -> Options:
    return [("", first), *names.items()]


def named_country_options(first: str) -> Options:
    named = [(code, country_name(code)) for code in COUNTRIES]
    return [("", first), *sorted(named, key=lambda pair: pair[1].casefold())]


class DayInput(fields.Date):
    default_error_messages = {  # noqa: RUF012
        "invalid": "Must be a date, for example 2026-01-31."
    }


class ListSearch(StrictSchema):
    page_token = PageToken(load_default=None)


class DaysSearch(ListSearch):
    """``times`` names the values of `makes` for just before the first and after the last day."""

    times: ClassVar[tuple[str, str]] = ("created_after", "created_before")
    zone = TimeZone()
    since = DayInput()
    until = DayInput()

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> Any:
        zone, (after, before) = data.pop("zone", None), self.times
        data[after] = just_before(data.pop("since", None), zone)
        data[before] = just_after(data.pop("until", None), zone)
        return type(self).makes(**data)


def searched(schema: type[Schema]) -> tuple[Form, Any | None]:
    try:
        wanted = read_search(schema)
    except ValidationFailed as problem:
        return refilled(problem), None
    return Form(request.args.to_dict()), wanted


def searched_list(
    path: str, schema: type[Schema], find: Callable[[Any], Sequence[Any]], status: int = 200
) -> dict[str, Any]:
    """Return a list as `listed` does, with its search and the page's status."""
    search, wanted = searched(schema)
    if wanted is None:
        return {"status": 422, "search": search, **listed(path, (), 0)}
    return {"status": status, "search": search, **listed(path, find(wanted), wanted.limit)}


def listed(path: str, rows: Sequence[Any], limit: int) -> dict[str, Any]:
    """Return a list with the URLs of its pager; ``rows`` has one more if a page follows."""
    found = keyset_page(rows, limit, lambda row: row)
    token = found["next_page_token"]
    search = {name: text for name, text in request.args.items() if text and name != _TOKEN}
    return {
        "items": found["items"],
        "next_path": None if token is None else _address(path, search | {_TOKEN: token}),
        "first_path": _address(path, search),
        "export_path": _address(path + ".csv", search),
        "is_first": not request.args.get(_TOKEN),
        "is_searched": bool(search.keys() - {_ZONE}),
    }


def _address(path: str, query: dict[str, str]) -> str:
    return link(path) + ("?" + urlencode(query) if query else "")
