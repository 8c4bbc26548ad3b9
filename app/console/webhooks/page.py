"""The page that lists and creates endpoints; a new secret is shown once."""

from functools import partial

from flask import Response, request

from app.access.principal import actor_of
from app.console.ui.forms import Form, read_form, read_search, refilled
from app.console.ui.guards import ADMIN, VIEWER, Pages
from app.console.ui.lists import listed
from app.console.ui.pages import page_answer
from app.console.webhooks.labels import EVENTS
from app.db.engine import Database
from app.kernel.errors import ValidationFailed
from app.users.current_user import CurrentUser
from app.web.fields import StrictSchema
from app.web.pages import PageToken
from app.web.registry import get_service
from app.web.routes import Answer
from app.webhooks.endpoints import EndpointFilter, load_endpoints
from app.webhooks.health import load_last_successes
from app.webhooks.manage import MAX_ENDPOINTS, ManageEndpoints
from app.webhooks.schemas import EndpointBody

routes = Pages()
WEBHOOKS = "/console/webhooks"


class EndpointSearch(StrictSchema):
    """Query of the page."""

    makes = partial(EndpointFilter, limit=MAX_ENDPOINTS)
    page_token = PageToken(load_default=None)


@routes.get(WEBHOOKS, VIEWER)
def webhooks_page(current_user: CurrentUser) -> Answer:
    """List the endpoints, newest first."""
    return _page(current_user, read_search(EndpointSearch), Form())


@routes.post(WEBHOOKS, ADMIN)
def make_endpoint(current_user: CurrentUser) -> Answer:
    """Make an endpoint, and show its secret this once."""
    principal = current_user.principal
    try:
        wanted = read_form(EndpointBody)
        made = get_service(ManageEndpoints).create(principal, wanted, actor_of(principal))
    except ValidationFailed as problem:
        return _page(current_user, EndpointFilter(limit=MAX_ENDPOINTS), endpoint_form(problem), 422)
    return page_answer(current_user, "webhooks/secret.html", made=made, is_new=True)


def endpoint_form(problem: ValidationFailed) -> Form:
    """Return the submitted form again, with every event that was ticked."""
    form = refilled(problem)
    return Form({**form.values, "events": request.form.getlist("events")}, form.errors)


def _page(
    current_user: CurrentUser, wanted: EndpointFilter, form: Form, status: int = 200
) -> Response:
    with get_service(Database).reading() as connection:
        found = load_endpoints(connection, current_user.principal, wanted)
        successes = load_last_successes(connection, [row.id for row in found])
    shown = listed(WEBHOOKS, found, wanted.limit)
    return page_answer(
        current_user,
        "webhooks/list.html",
        status,
        **shown,
        form=form,
        events=EVENTS,
        successes=successes,
    )
