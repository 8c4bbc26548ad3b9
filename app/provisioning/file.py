"""Parsing a file, TOML or JSON with the same shape: tables of checked values, and problems.

Each has its place. Ambiguous input is refused, for example a key that occurs twice. Texts never
contain a secret.
"""

import json
import re
import tomllib
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from marshmallow import ValidationError

from app.access.accounts import WantedAccount, mistake_in_token
from app.provisioning.schemas import FileSchema

THE_FILE = "the file"
_STEPS = re.compile(r"\[(\d+)\]|([^.\[\]]+)")
_FROM_ENVIRONMENT = "env:"
_TAKEN_AWAY = ("next_auth_token", "")


@dataclass(frozen=True, slots=True)
class FileProblem:
    """Places are written like ``workspaces[0].use_cases[0].name``."""

    place: str
    text: str

    def __str__(self) -> str:
        return f"{self.place}: {self.text}"


class FileRefused(Exception):
    def __init__(self, *problems: FileProblem) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


class FileProblems:
    def __init__(self) -> None:
        self._found: list[FileProblem] = []

    def add(self, place: str, text: str) -> None:
        self._found.append(FileProblem(place, text))

    def add_tree(self, place: str, tree: Any) -> None:
        if isinstance(tree, Mapping):
            for key, inner in tree.items():
                self.add_tree(place if key == "_schema" else step(place, key), inner)
        else:
            for text in tree if isinstance(tree, list) else [tree]:
                self.add(place or THE_FILE, str(text))

    def require(self, value: object, place: str, text: str) -> None:
        """Add a missing value, unless another problem explains it."""
        explained = any(f"{place}.".startswith(f"{known.place}.") for known in self._found)
        if value is None and not explained:
            self.add(place, text)

    def has_any(self, *places: str) -> bool:
        return any(known.place in places for known in self._found)

    def refuse(self) -> None:
        """Raise `FileRefused`, sorted by place, if there are problems."""
        if self._found:
            raise FileRefused(*sorted(self._found, key=lambda found: place_order(found.place)))


def step(place: str, key: object) -> str:
    if isinstance(key, int):
        return f"{place}[{key}]"
    return f"{place}.{key}" if place else str(key)


def place_order(place: str) -> list[tuple[int, str]]:
    """Return a sort key of places, ``[2]`` before ``[10]``."""
    return [(int(index or 0), name) for index, name in _STEPS.findall(place)]


def parse_text(content: bytes) -> Any:
    """Parse a file; a leading brace means JSON. Raises `FileRefused`."""
    try:
        text = content.decode("utf-8-sig")
        if text.lstrip().startswith("{"):
            return json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
        return tomllib.loads(text)
    except UnicodeDecodeError as problem:
        raise refused("Is not a text in UTF-8.") from problem
    except json.JSONDecodeError as problem:
        raise refused(f"Is not JSON: {problem}.") from problem
    except tomllib.TOMLDecodeError as problem:
        raise refused(f"Is not TOML: {problem}.") from problem
    except RecursionError as problem:
        raise refused("Is nested too deeply.") from problem
    except ValueError as problem:
        raise refused("Has a number with too many digits.") from problem


def refused(text: str, place: str = THE_FILE) -> FileRefused:
    return FileRefused(FileProblem(place, text))


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise refused(f"An object has the key {key!r} twice.")
        found[key] = value
    return found


def _refuse_constant(name: str) -> Any:
    raise refused(f"Is not JSON: {name} is not a JSON number.")


class Entry(dict[str, Any]):
    """A table of a file; an omitted or wrong field is absent."""

    def __init__(self, given: Mapping[str, Any], place: str) -> None:
        super().__init__((name, _placed(one, step(place, name))) for name, one in given.items())
        self.place = place

    def at(self, *steps: object) -> str:
        place = self.place
        for one in steps:
            place = step(place, one)
        return place

    def each(self, name: str) -> list["Entry"]:
        return [one for one in self.get(name) or () if isinstance(one, Entry)]


def _placed(value: Any, place: str) -> Any:
    if isinstance(value, Mapping):
        return Entry(value, place)
    if isinstance(value, list):
        return [_placed(one, step(place, index)) for index, one in enumerate(value)]
    return value


def read_entries(data: object, environ: Mapping[str, str], problems: FileProblems) -> Entry:
    """Check fields and duplicates; resolve tokens of ``env:``."""
    try:
        found = FileSchema().load(data)  # type: ignore[arg-type]
    except ValidationError as problem:
        problems.add_tree("", problem.messages)
        found = problem.valid_data if isinstance(problem.valid_data, dict) else {}
    entry = Entry(found, "")
    _check_nothing_twice(entry, problems)
    for workspace in entry.each("workspaces"):
        if "twilio" in workspace:
            _read_tokens(workspace["twilio"], environ, problems)
    return entry


def organization_of(file: Entry) -> Entry:
    found = file.get("organization")
    return found if isinstance(found, Entry) else Entry({}, "organization")


def _check_nothing_twice(file: Entry, problems: FileProblems) -> None:
    workspaces = file.each("workspaces")
    use_cases = [one for each in workspaces for one in each.each("use_cases")]
    for owner in (organization_of(file), *workspaces):
        _record_repeated(owner.each("access_keys"), "name", problems)
    _record_repeated(workspaces, "id", problems)
    _record_repeated(workspaces, "name", problems)
    _record_repeated(use_cases, "id", problems)
    for workspace in workspaces:
        # The name of a use case that is deleted by id may be reused in the same file.
        named = [
            one for one in workspace.each("use_cases") if not (one.get("deleted") and "id" in one)
        ]
        _record_repeated(named, "name", problems)
    for use_case in use_cases:
        _record_repeated(use_case.each("senders"), "number", problems)


def _record_repeated(entries: Iterable[Entry], name: str, problems: FileProblems) -> None:
    first_at: dict[Hashable, str] = {}
    for one in (one for one in entries if name in one):
        first = first_at.setdefault(one[name], one.at(name))
        if first != one.at(name):
            problems.add(one.at(name), f"Stands twice: first at {first}.")


def _read_tokens(account: Entry, environ: Mapping[str, str], problems: FileProblems) -> None:
    for name in ("auth_token", "next_auth_token"):
        given = account.get(name)
        if given is None or not account.get("account_sid") or (name, given) == _TAKEN_AWAY:
            continue
        token = _read_token(given, account.at(name), environ, problems)
        if token is None:
            del account[name]
        else:
            account[name] = token


def _read_token(
    given: str, place: str, environ: Mapping[str, str], problems: FileProblems
) -> str | None:
    token, source = given, ""
    if given.startswith(_FROM_ENVIRONMENT):
        name = given.removeprefix(_FROM_ENVIRONMENT)
        token, source = environ.get(name, ""), f" in the environment variable {name}"
        if not token:
            problems.add(place, f"The environment variable {name} is not set.")
            return None
    wrong = mistake_in_token(token)
    if wrong is not None:
        problems.add(place, f"{wrong}{source}.")
        return None
    return token


@dataclass(frozen=True, slots=True)
class FileAccount:
    """The settings of one account; the place is its first one."""

    place: str
    wanted: WantedAccount


def merge_accounts(workspaces: Iterable[Entry], problems: FileProblems) -> dict[str, FileAccount]:
    """A token may be given once only."""
    found: dict[str, FileAccount] = {}
    token_places: dict[tuple[str, str], str] = {}
    for account in (one["twilio"] for one in workspaces if "twilio" in one):
        sid = account.get("account_sid")
        if not sid:
            continue
        known = found.setdefault(
            sid, FileAccount(account.place, WantedAccount(sid, is_proven=True))
        )
        for name in ("auth_token", "next_auth_token"):
            token, before = account.get(name), getattr(known.wanted, name)
            if token is None:
                continue
            first = token_places.setdefault((sid, name), account.at(name))
            if before not in {None, token}:
                text = f"Is not the token given for this account at {first}."
                problems.add(account.at(name), text)
            else:
                known = replace(known, wanted=replace(known.wanted, **{name: token}))
        found[sid] = known
    return found
