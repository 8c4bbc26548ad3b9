"""Duplicates inside a file."""

from collections.abc import Hashable, Iterable

from app.provisioning.desired import Desired, DesiredKey, DesiredUseCase, DesiredWorkspace
from app.provisioning.mistakes import Mistakes, step


def check_nothing_twice(desired: Desired, mistakes: Mistakes) -> None:
    """Add a problem for every repeated name, id and sender."""
    _check_keys(desired.organization.access_keys, mistakes)
    workspaces = desired.workspaces
    _note_repeated(((w.id, step(w.place, "id")) for w in workspaces), mistakes)
    _note_repeated(((w.name, step(w.place, "name")) for w in workspaces), mistakes)
    use_cases = [use_case for workspace in workspaces for use_case in workspace.use_cases]
    _note_repeated(((u.id, step(u.place, "id")) for u in use_cases), mistakes)
    for workspace in workspaces:
        _check_workspace(workspace, mistakes)


def _check_workspace(workspace: DesiredWorkspace, mistakes: Mistakes) -> None:
    _check_keys(workspace.access_keys, mistakes)
    named = [use_case for use_case in workspace.use_cases if not _goes_by_id(use_case)]
    _note_repeated(((u.name, step(u.place, "name")) for u in named), mistakes)
    for use_case in workspace.use_cases:
        senders = use_case.senders or ()
        _note_repeated(((s.number, step(s.place, "number")) for s in senders), mistakes)


def _goes_by_id(use_case: DesiredUseCase) -> bool:
    # The name of what is deleted by its id is free for another in the same file.
    return use_case.deleted is True and use_case.id is not None


def _check_keys(keys: Iterable[DesiredKey], mistakes: Mistakes) -> None:
    _note_repeated(((key.name, step(key.place, "name")) for key in keys), mistakes)


def _note_repeated(values_at_places: Iterable[tuple[Hashable, str]], mistakes: Mistakes) -> None:
    first_at: dict[Hashable, str] = {}
    for value, place in values_at_places:
        if value is None:
            continue
        if value in first_at:
            mistakes.add(place, f"Stands twice: first at {first_at[value]}.")
        first_at.setdefault(value, place)
