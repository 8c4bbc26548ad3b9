"""Parsing plain data into frozen values, each field with its place.

A part with a problem is left out of the result, so that the rest can still be checked.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from marshmallow import Schema
from marshmallow import ValidationError as SchemaError

from app.access.accounts import mistake_in_token
from app.provisioning import desired as d
from app.provisioning import schemas
from app.provisioning.problems import FileProblems, step
from app.use_cases.sender_numbers import mistake_in_number

_FROM_ENVIRONMENT = "env:"


def read_token(
    given: str, place: str, environ: Mapping[str, str], problems: FileProblems
) -> str | None:
    """Return the token; None, with a problem added, if it is not valid."""
    token, said = given, ""
    if given.startswith(_FROM_ENVIRONMENT):
        name = given.removeprefix(_FROM_ENVIRONMENT)
        token, said = environ.get(name, ""), f" in the environment variable {name}"
        if not token:
            problems.add(place, f"The environment variable {name} is not set.")
            return None
    wrong = mistake_in_token(token)
    if wrong is not None:
        problems.add(place, f"{wrong}{said}.")
        return None
    return token


T = TypeVar("T")


def parse_desired(data: Any, environ: Mapping[str, str], problems: FileProblems) -> d.Desired:
    """Read the whole file; ``env:`` tokens come from ``environ``."""
    return _Parser(environ, problems).file(data)


class _Parser:
    """Reads one part of the file at a time and keeps the mistakes."""

    def __init__(self, environ: Mapping[str, str], problems: FileProblems) -> None:
        self._environ = environ
        self._mistakes = problems

    def file(self, data: Any) -> d.Desired:
        given = self._load(schemas.FileSchema(), data, "") or {}
        organization = None
        if "organization" in given:
            organization = self._organization(given["organization"], "organization")
        return d.Desired(
            organization=organization or d.DesiredOrganization(place="organization"),
            workspaces=self._each(self._workspace, given, "workspaces", "") or (),
        )

    def _organization(self, data: Any, place: str) -> d.DesiredOrganization | None:
        given = self._load(schemas.OrganizationSchema(), data, place)
        if given is None:
            return None
        keys = self._each(self._key, given, "access_keys", place) or ()
        denied = _tuple_of(given.pop("denied_destinations", None))
        return d.DesiredOrganization(
            place=place, **given | {"access_keys": keys, "denied_destinations": denied}
        )

    def _workspace(self, data: Any, place: str) -> d.DesiredWorkspace | None:
        given = self._load(schemas.WorkspaceSchema(), data, place)
        if given is None:
            return None
        nested = {
            "twilio": self._one(self._account, given, "twilio", place),
            "access_keys": self._each(self._key, given, "access_keys", place) or (),
            "use_cases": self._each(self._use_case, given, "use_cases", place) or (),
        }
        return d.DesiredWorkspace(place=place, **given | nested)

    def _account(self, data: Any, place: str) -> d.DesiredAccount | None:
        given = self._load(schemas.AccountSchema(), data, place)
        if given is None or "account_sid" not in given:
            return None
        for name in ("auth_token", "next_auth_token"):
            at = step(place, name)
            if name in given and not given["account_sid"]:
                self._mistakes.add(at, "Must be left out where account_sid is empty.")
            elif name in given and not (name == "next_auth_token" and not given[name]):
                given[name] = read_token(given[name], at, self._environ, self._mistakes)
        return d.DesiredAccount(place=place, **given)

    def _use_case(self, data: Any, place: str) -> d.DesiredUseCase | None:
        given = self._load(schemas.UseCaseSchema(), data, place)
        if given is None:
            return None
        nested = {
            "senders": self._each(self._sender, given, "senders", place),
            "brand": self._one(self._brand, given, "brand", place),
            "campaign": self._one(self._campaign, given, "campaign", place),
            "allowed_destinations": _tuple_of(given.get("allowed_destinations")),
        }
        return d.DesiredUseCase(place=place, **given | nested)

    def _key(self, data: Any, place: str) -> d.DesiredKey | None:
        given = self._load(schemas.KeySchema(), data, place)
        if given is None or not {"name", "role"} <= given.keys():
            return None
        lists = {
            name: _tuple_of(given.get(name))
            for name in ("use_cases", "countries", "source_networks")
        }
        return d.DesiredKey(place=place, **given | lists)

    def _sender(self, data: Any, place: str) -> d.DesiredSender | None:
        given = self._load(schemas.SenderSchema(), data, place)
        if given is None or not {"number", "type"} <= given.keys():
            return None
        wrong = mistake_in_number(given["number"], given["type"])
        if wrong is not None:
            self._mistakes.add(step(place, "number"), wrong)
        return d.DesiredSender(place=place, **given)

    def _brand(self, data: Any, place: str) -> d.DesiredRegistration | None:
        return self._registration(schemas.BrandSchema(), data, place)

    def _campaign(self, data: Any, place: str) -> d.DesiredRegistration | None:
        return self._registration(schemas.CampaignSchema(), data, place)

    def _registration(self, schema: Schema, data: Any, place: str) -> d.DesiredRegistration | None:
        given = self._load(schema, data, place)
        if given is None or "sid" not in given:
            return None
        if "status" in given and not given["sid"]:
            self._mistakes.add(step(place, "status"), "Must be left out where sid is empty.")
        return d.DesiredRegistration(place=place, **given)

    def _one(
        self, read: Callable[[Any, str], T | None], given: dict[str, Any], name: str, place: str
    ) -> T | None:
        return read(given[name], step(place, name)) if name in given else None

    def _each(
        self, read: Callable[[Any, str], T | None], given: dict[str, Any], name: str, place: str
    ) -> tuple[T, ...] | None:
        if name not in given:
            return None
        inside = step(place, name)
        found = [read(item, step(inside, index)) for index, item in enumerate(given[name])]
        return tuple(item for item in found if item is not None)

    def _load(self, schema: Schema, data: Any, place: str) -> dict[str, Any] | None:
        if not isinstance(data, Mapping):
            self._mistakes.add_tree(place, "Must be a table of fields.")
            return None
        try:
            return dict(schema.load(data))
        except SchemaError as problem:
            self._mistakes.add_tree(place, problem.messages)
            return dict(problem.valid_data) if isinstance(problem.valid_data, Mapping) else {}


def _tuple_of(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
