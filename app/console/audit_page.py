"""The audit page."""

from typing import Any

from marshmallow import fields, post_load, validate

from app.access.audit_log import AuditFilter, load_audit_events
from app.access.principal import ActorKind
from app.access.roles import Role
from app.console.audit_objects import object_noun, object_path
from app.console.audit_words import DOORS, WORDS, words_of
from app.console.guard import Visits
from app.console.lists import listed, searched
from app.console.pages import page_answer
from app.console.typed_times import TimeZone, just_after, just_before
from app.db.engine import Database
from app.db.rows import AnyRow
from app.people.visitor import Visitor
from app.web.fields import Id, StrictSchema, Text, one_of
from app.web.pages import PageToken
from app.web.routes import Answer, Routes
from app.web.wiring import service

routes = Routes("Console", described=False)
PATH = "/console/audit"
_SHOWN = 40
_WRONG_DAY: dict[str, Any] = {"invalid": "Must be a date, for example 2026-01-31."}


class AuditSearch(StrictSchema):
    """Query of the page of the audit."""

    page_token = PageToken(load_default=None)
    workspace_id = Id()
    action = Text(validate=validate.Length(max=60))
    actor_kind = Text(validate=one_of(ActorKind))
    actor_name = Text(validate=validate.Length(max=200))
    zone = TimeZone()
    since = fields.Date(error_messages=_WRONG_DAY)
    until = fields.Date(error_messages=_WRONG_DAY)

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> AuditFilter:
        kind = data.pop("actor_kind", None)
        zone = data.pop("zone", None)
        after = just_before(data.pop("since", None), zone)
        before = just_after(data.pop("until", None), zone)
        return AuditFilter(
            limit=_SHOWN,
            actor_kind=None if kind is None else ActorKind(kind),
            created_after=after,
            created_before=before,
            **data,
        )


@routes.add("GET", PATH, guard=Visits(Role.ADMIN), answers={200: "text/html"})
def audit_page(visitor: Visitor) -> Answer:
    """List audit events, newest first, of the shown workspace or of the organization."""
    asks = visitor.principal_for(Role.ADMIN)
    form, wanted = searched(AuditSearch)
    rows: list[AnyRow] = []
    if wanted is not None:
        with service(Database).reading() as connection:
            rows = load_audit_events(connection, asks, wanted)
    return page_answer(
        visitor,
        "audit.html",
        200 if wanted else 422,
        form=form,
        **listed(PATH, rows, _SHOWN, lambda row: row.id),
        sees_everywhere=asks.workspace_id is None,
        names={place.workspace_id: place.name for place in visitor.places},
        actions=[("", "Any action"), *sorted(WORDS.items(), key=lambda pair: pair[1])],
        doors=[("", "Any"), *DOORS.items()],
        words_of=words_of,
        door_of=lambda row: DOORS[ActorKind(row.actor_kind)],
        object_path=lambda row: object_path(visitor, row),
        object_noun=object_noun,
    )
