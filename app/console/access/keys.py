"""Pages of access keys."""

from collections.abc import Sequence
from functools import partial
from uuid import UUID

from flask import Response, request

from app.access.api import AccessKeyBody, AccessKeyListQuery
from app.access.audit import PrincipalChange
from app.access.guard import changing
from app.access.key_rules import KeyState, describe_limits, may_manage, state_of
from app.access.keys import (
    NewAccessKey,
    create_access_key,
    load_access_key,
    load_access_keys,
    revoke_access_key,
)
from app.access.principal import Principal, Role
from app.console.ui.forms import number_in, parse_time, read_form, refilling, searched_list
from app.console.ui.guards import ADMIN, Pages
from app.console.ui.pages import NO_FORM, Form, page_answer, redirect_with_flash
from app.db.rows import AnyRow
from app.use_cases.read import load_named_use_cases, load_use_case_names
from app.users.current_user import CurrentUser
from app.web.registry import current_time, reading, writing

routes = Pages()
PATH = "/console/access-keys"
# More would make the page long; the API takes any.
_MOST_OFFERED = 50
_STATES = {KeyState.LIVE: "Active", KeyState.EXPIRED: "Expired", KeyState.REVOKED: "Revoked"}


@routes.get(PATH, ADMIN)
def access_keys_page(
    current_user: CurrentUser, status: int = 200, form: Form = NO_FORM
) -> Response:
    now, own = current_time(), current_user.principal
    visible = current_user.principal_for(Role.ADMIN)
    with reading() as connection:
        find = partial(load_access_keys, connection, visible, now=now)
        found = searched_list(PATH, AccessKeyListQuery, find, status)
        use_cases = load_named_use_cases(connection, visible)
    use_case_names = {one.id: one.name for one in use_cases}
    may_make_wide = current_user.permits_everywhere(Role.OWNER)
    return page_answer(
        "access/keys.html",
        **found,
        form=form,
        state_of=lambda row: state_of(row.revoked_at, row.expires_at, now).value,
        limits_of=lambda row: describe_limits(row, use_case_names),
        use_cases=_offered(current_user, use_cases, may_choose_workspace=may_make_wide),
        states=[("", "Any state"), *_STATES.items()],
        state_labels=_STATES,
        may_revoke=lambda row: may_manage(
            _asking(current_user, row.workspace_id), Role(row.role), row.workspace_id
        ),
        roles=[(one, one.value) for one in Role if may_manage(own, one, own.workspace_id)],
        sees_everywhere=current_user.permits_everywhere(Role.ADMIN),
        may_make_wide=may_make_wide,
    )


@routes.post(PATH, ADMIN)
@refilling(access_keys_page)
def make_access_key(current_user: CurrentUser) -> Response:
    """Only this answer shows the token."""
    names: dict[UUID, str] = {}
    wanted: NewAccessKey = read_form(
        AccessKeyBody, **parse_time("expires_at"), **_typed_rate(), **_typed_limits()
    )
    asking = _asking(current_user, wanted.workspace_id)
    with changing(asking) as change:
        made = create_access_key(change, wanted)
        if wanted.limits.use_case_ids:
            names = load_use_case_names(change.connection, asking)
    return page_answer("access/key_made.html", made=made, limits=describe_limits(made.row, names))


@routes.post(PATH + "/{access_key_id}/revoke", ADMIN)
def end_access_key(current_user: CurrentUser, access_key_id: UUID) -> Response:
    with writing() as (connection, now):
        key = load_access_key(connection, current_user.principal_for(Role.ADMIN), access_key_id)
        asking = _asking(current_user, key.workspace_id)
        revoke_access_key(PrincipalChange.by(asking, connection, now), key.id)
    return redirect_with_flash(PATH, f"{key.name} is revoked. Its next request is refused.")


def _typed_rate() -> dict[str, object]:
    text = request.form.get("rate", "").strip()
    return {"rate": {"per_second": number_in(text)}} if text else {}


def _typed_limits() -> dict[str, object]:
    """Lists are separated by spaces or commas; an empty list is no limit."""
    limits: dict[str, object] = {"use_case_ids": request.form.getlist("use_case_ids") or None}
    for name in ("countries", "source_networks"):
        limits[name] = request.form.get(name, "").replace(",", " ").split() or None
    return limits


def _asking(current_user: CurrentUser, workspace_id: UUID | None) -> Principal:
    own = current_user.principal
    if workspace_id is not None and workspace_id == own.workspace_id:
        return own
    return current_user.organization_principal or own


def _offered(
    current_user: CurrentUser, use_cases: Sequence[AnyRow], *, may_choose_workspace: bool
) -> list[tuple[str, str]]:
    shown, places = current_user.workspace_access, current_user.workspace_names
    own = None if shown is None else shown.workspace_id
    found = []
    for one in use_cases:
        if one.deleted_at is None and (may_choose_workspace or one.workspace_id == own):
            place = (
                places.get(one.workspace_id) if may_choose_workspace and len(places) > 1 else None
            )
            found.append((str(one.id), one.name if place is None else f"{one.name} ({place})"))
    return found[:_MOST_OFFERED]
