"""The audit page."""

from typing import Any

from marshmallow import fields, post_load, validate

from app.access.audit import AuditFilter, load_audit_events
from app.access.principal import ActorKind, Role
from app.console.access.audit_labels import ACTION_LABELS, ACTOR_LABELS, action_label
from app.console.access.audit_objects import object_noun, object_path
from app.console.ui.forms import TimeZone, just_after, just_before
from app.console.ui.guards import ADMIN, Pages
from app.console.ui.lists import listed, searched
from app.console.ui.pages import page_answer
from app.db.engine import Database
from app.db.rows import AnyRow
from app.users.current_user import CurrentUser
from app.web.fields import Id, StrictSchema, Text, one_of
from app.web.pages import PageToken
from app.web.registry import get_service
from app.web.routes import Answer

routes = Pages()
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


@routes.get(PATH, ADMIN)
def audit_page(current_user: CurrentUser) -> Answer:
    """List audit events, newest first, of the shown workspace or of the organization."""
    asks = current_user.principal_for(Role.ADMIN)
    form, wanted = searched(AuditSearch)
    rows: list[AnyRow] = []
    if wanted is not None:
        with get_service(Database).reading() as connection:
            rows = load_audit_events(connection, asks, wanted)
    return page_answer(
        current_user,
        "access/audit.html",
        200 if wanted else 422,
        form=form,
        **listed(PATH, rows, _SHOWN),
        sees_everywhere=asks.workspace_id is None,
        names={place.workspace_id: place.name for place in current_user.workspaces},
        actions=[("", "Any action"), *sorted(ACTION_LABELS.items(), key=lambda pair: pair[1])],
        doors=[("", "Any"), *ACTOR_LABELS.items()],
        action_label=action_label,
        door_of=lambda row: ACTOR_LABELS[ActorKind(row.actor_kind)],
        object_path=lambda row: object_path(current_user, row),
        object_noun=object_noun,
    )
