"""Manage Destinations: changes are collected on the page and made by Save.

Saving makes exactly the previewed changes, at the previewed revision, or nothing.
"""

from dataclasses import replace

from flask import request
from sqlalchemy import Connection

from app.access.roles import Role
from app.console.country_options import country_options
from app.console.destinations.draft import Draft, read_draft
from app.console.destinations.outlook import look_ahead, problems_by_country
from app.console.destinations.sight import Sight, by_name, load_sight, place_of
from app.console.destinations.wishes import DURATIONS, Wishes, read_wishes
from app.console.forms import Form
from app.console.guard import Visits
from app.console.language import visitor_language
from app.console.navigation import DESTINATIONS
from app.console.pages import go_to, page_answer
from app.db.engine import Database
from app.db.rows import AnyRow
from app.destinations.adjust import adjust
from app.destinations.history import load_history
from app.destinations.manage import Asked, ManageDestinations
from app.destinations.schemas import HistoryFilter
from app.kernel.clock import Clock
from app.kernel.countries import is_country
from app.kernel.errors import DestinationsInherited, RevisionMismatch, ValidationFailed
from app.people.visitor import Visitor
from app.web.routes import Answer, Routes
from app.web.wiring import service

routes = Routes("Console", described=False)
_MOST_REVISIONS = 20
_WHOLE = "destinations/page.html"


@routes.add("GET", DESTINATIONS, guard=Visits(Role.VIEWER), answers={200: "text/html"})
def destinations_page(visitor: Visitor) -> Answer:
    """Show which countries the workspace may reach.

    Countries named as ``allow`` or ``block`` in the address are marked, one named as ``country`` is
    selected; Save is still needed.
    """
    chosen = request.args.get("country", "")
    marked = Draft(read_wishes(request.args), country=chosen if is_country(chosen) else "")
    is_marked = marked.wishes or marked.country
    return show(visitor, marked=marked if is_marked and visitor.permits(Role.ADMIN) else None)


@routes.add(
    "POST",
    DESTINATIONS,
    guard=Visits(Role.ADMIN),
    answers={303: None, **dict.fromkeys((200, 409, 412, 422), "text/html")},
)
def change_destinations(visitor: Visitor) -> Answer:
    """Collect a change, or save the previewed changes."""
    draft = read_draft()
    if not draft.is_ready:
        return show(visitor, draft)
    try:
        return _save(visitor, draft)
    except RevisionMismatch:
        return show(visitor, draft, 412)
    except DestinationsInherited as inherited:
        told = Form(errors={"": [inherited.text]})
        return show(visitor, replace(draft, form=told), 409)
    except ValidationFailed as problem:
        errors = {f"country:{c}": texts for c, texts in problems_by_country(problem).items()}
        return show(visitor, replace(draft, form=Form(draft.form.values, errors)), 422)


@routes.add(
    "POST",
    f"{DESTINATIONS}/preview",
    guard=Visits(Role.ADMIN),
    answers={200: "text/html"},
)
def preview_destinations(visitor: Visitor) -> Answer:
    """Render the preview, as a part of the page."""
    draft = replace(read_draft(), step="")
    return show(visitor, draft, template="destinations/outlook.html")


def show(
    visitor: Visitor,
    draft: Draft | None = None,
    status: int = 200,
    template: str = _WHOLE,
    *,
    freezing: Form | None = None,
    marked: Draft | None = None,
) -> Answer:
    """Render the page, or its part, with the pending changes."""
    with service(Database).reading() as connection:
        sight = load_sight(connection, visitor)
        if marked is not None:
            revision = sight.effective.revision
            draft = replace(marked, wishes=replace(marked.wishes, revision=revision))
        base = draft.wishes.revision if draft else sight.effective.revision
        after = (draft or Draft(Wishes(base))).after_step(sight)
        can_save = bool(after.wishes) and sight.may_change
        outlook = look_ahead(connection, sight, after.wishes) if can_save else None
        since = _since(connection, sight, base)
    return page_answer(
        visitor,
        template,
        422 if status == 200 and after.form.errors else status,  # noqa: PLR2004
        sight=sight,
        draft=after,
        outlook=outlook,
        listed=sight.listed,
        shown_codes=by_name({*sight.listed, *after.wishes.opened}),
        since=since,
        is_part=template != _WHOLE,
        is_stale=base != sight.effective.revision,
        wanted=draft.wishes if draft else Wishes(base),
        options=country_options(visitor_language()),
        durations=DURATIONS,
        language=visitor_language(),
        freezing=freezing or Form(),
    )


def _save(visitor: Visitor, draft: Draft) -> Answer:
    now = service(Clock).now()
    change = adjust(draft.wishes.adjustment(now), draft.reason, now, draft.acknowledged)
    asked = Asked(visitor.actor, draft.reason, frozenset({draft.wishes.revision}), dry_run=False)
    changed = service(ManageDestinations)(place_of(visitor), change, asked)
    told = f"Saved as revision {changed.effective.revision}. In effect for the next send."
    return go_to(DESTINATIONS, told)


def _since(connection: Connection, sight: Sight, base: int) -> list[AnyRow]:
    """Load the revisions after the one that the form was made for, newest first."""
    if base == sight.effective.revision:
        return []
    wanted = HistoryFilter(_MOST_REVISIONS)
    rows = load_history(connection, sight.effective.workspace_id, wanted)
    return [row for row in rows if row.revision > base]
