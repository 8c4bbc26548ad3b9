"""Pages of access keys."""

from uuid import UUID

from flask import Response, request

from app.access.actor import actor_of
from app.access.key_limits import describe_limits
from app.access.key_rules import KeyState, may_manage, state_of
from app.access.key_store import KeyFilter, load_access_key, load_access_keys
from app.access.manage_keys import NewAccessKey, create_access_key, revoke_access_key
from app.access.principal import Principal
from app.access.roles import Role
from app.access.schemas import AccessKeyBody, AccessKeyListQuery
from app.console.forms import Form, read_form, read_search, refilled
from app.console.guard import Visits
from app.console.lists import listed
from app.console.pages import go_to, page_answer
from app.console.typed_times import typed_time
from app.db.engine import Database
from app.db.rows import AnyRow
from app.kernel.clock import Clock
from app.kernel.errors import NotFound, ValidationFailed
from app.kernel.whole_numbers import read_whole_number
from app.people.visitor import Visitor
from app.web.routes import Answer, Routes
from app.web.wiring import service

routes = Routes("Console", described=False)
PATH = "/console/access-keys"
_STATES = {KeyState.LIVE: "Active", KeyState.EXPIRED: "Expired", KeyState.REVOKED: "Revoked"}


@routes.add("GET", PATH, guard=Visits(Role.ADMIN), answers={200: "text/html"})
def access_keys_page(visitor: Visitor) -> Answer:
    """List access keys, newest first."""
    return _page(visitor, 200, Form())


@routes.add("POST", PATH, guard=Visits(Role.ADMIN), answers={200: "text/html", 422: "text/html"})
def make_access_key(visitor: Visitor) -> Answer:
    """Create an access key; only this answer shows its token."""
    now = service(Clock).now()
    try:
        wanted: NewAccessKey = read_form(
            AccessKeyBody, **typed_time("expires_at"), **_typed_rate(), **_typed_limits()
        )
        asking = _asking(visitor, wanted.workspace_id)
        with service(Database).writing() as connection:
            made = create_access_key(connection, asking, wanted, actor=actor_of(asking), now=now)
    except ValidationFailed as problem:
        return _page(visitor, 422, refilled(problem))
    return page_answer(visitor, "access_key_made.html", made=made, names=_names(visitor))


@routes.add(
    "POST",
    PATH + "/{access_key_id}/revoke",
    guard=Visits(Role.ADMIN),
    answers={303: None},
    errors=(NotFound,),
)
def end_access_key(visitor: Visitor, access_key_id: UUID) -> Answer:
    """Revoke an access key, in force for its next request."""
    now = service(Clock).now()
    with service(Database).writing() as connection:
        key = load_access_key(connection, visitor.principal_for(Role.ADMIN), access_key_id)
        asking = _asking(visitor, key.workspace_id)
        revoke_access_key(connection, asking, key.id, actor=actor_of(asking), now=now)
    return go_to(PATH, f"{key.name} is revoked. Its next request is refused.")


def _typed_rate() -> dict[str, object]:
    text = request.form.get("rate", "").strip()
    if not text:
        return {}
    number = read_whole_number(text)
    return {"rate": {"per_second": text if number is None else number}}


def _typed_limits() -> dict[str, object]:
    """Read the lists of the form, which are separated by spaces or commas; an empty one is none."""
    limits: dict[str, object] = {"use_case_ids": None}
    for name in ("countries", "source_networks"):
        limits[name] = request.form.get(name, "").replace(",", " ").split() or None
    return limits


def _asking(visitor: Visitor, workspace_id: UUID | None) -> Principal:
    """Return the principal for keys of a workspace, with the role that the user has there."""
    own = visitor.principal
    if workspace_id is not None and workspace_id == own.workspace_id:
        return own
    return visitor.organization_principal or own


def _page(visitor: Visitor, status: int, form: Form) -> Response:
    search, wanted = Form(request.args.to_dict()), KeyFilter(limit=0)
    rows: list[AnyRow] = []
    now = service(Clock).now()
    try:
        wanted = read_search(AccessKeyListQuery)
        with service(Database).reading() as connection:
            rows = load_access_keys(connection, visitor.principal_for(Role.ADMIN), wanted, now)
    except ValidationFailed as problem:
        search, status = Form(search.values, refilled(problem).errors), 422
    everywhere = visitor.organization_principal
    return page_answer(
        visitor,
        "access_keys.html",
        status,
        form=form,
        search=search,
        **listed(PATH, rows, wanted.limit, lambda row: row.id),
        state_of=lambda row: state_of(row.revoked_at, row.expires_at, now).value,
        limits_of=describe_limits,
        states=[("", "Any status"), *_STATES.items()],
        state_labels=_STATES,
        may_revoke=lambda row: may_manage(
            _asking(visitor, row.workspace_id), Role(row.role), row.workspace_id
        ),
        roles=[(role, role.value) for role in _roles(visitor)],
        names=_names(visitor),
        sees_everywhere=everywhere is not None and everywhere.role.permits(Role.ADMIN),
        may_make_wide=everywhere is not None and everywhere.role is Role.OWNER,
    )


def _roles(visitor: Visitor) -> list[Role]:
    """Return the roles that the visitor may give a key of the workspace shown."""
    own = visitor.principal
    return [role for role in Role if may_manage(own, role, own.workspace_id)]


def _names(visitor: Visitor) -> dict[UUID, str]:
    return {place.workspace_id: place.name for place in visitor.places}
