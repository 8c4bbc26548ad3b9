"""The page that lists and creates endpoints; a new secret is shown once."""

from flask import Response, request
from marshmallow import post_load

from app.access.actor import actor_of
from app.access.roles import Role
from app.console.forms import Form, read_form, read_search, refilled
from app.console.guard import Visits
from app.console.lists import listed
from app.console.pages import page_answer
from app.console.webhooks.words import EVENTS
from app.db.engine import Database
from app.kernel.errors import ValidationFailed
from app.people.visitor import Visitor
from app.web.fields import StrictSchema
from app.web.pages import PageToken
from app.web.routes import Answer, Routes
from app.web.wiring import service
from app.webhooks.endpoints import EndpointFilter, load_endpoints
from app.webhooks.health import load_last_successes
from app.webhooks.manage import MAX_ENDPOINTS, ManageEndpoints
from app.webhooks.schemas import EndpointBody

routes = Routes("Console", described=False)
WEBHOOKS = "/console/webhooks"


class EndpointSearch(StrictSchema):
    """Query of the page."""

    page_token = PageToken(load_default=None)

    @post_load
    def _make(self, data: dict[str, object], **_: object) -> EndpointFilter:
        return EndpointFilter(limit=MAX_ENDPOINTS, **data)  # type: ignore[arg-type]


@routes.add("GET", WEBHOOKS, guard=Visits(Role.VIEWER), answers={200: "text/html"})
def webhooks_page(visitor: Visitor) -> Answer:
    """List the endpoints, newest first."""
    return _page(visitor, read_search(EndpointSearch), Form())


@routes.add("POST", WEBHOOKS, guard=Visits(Role.ADMIN), answers={200: "text/html"})
def make_endpoint(visitor: Visitor) -> Answer:
    """Make an endpoint, and show its secret this once."""
    principal = visitor.principal
    try:
        wanted = read_form(EndpointBody)
        made = service(ManageEndpoints).create(principal, wanted, actor_of(principal))
    except ValidationFailed as problem:
        return _page(visitor, EndpointFilter(limit=MAX_ENDPOINTS), endpoint_form(problem), 422)
    return page_answer(visitor, "webhooks/secret.html", made=made, is_new=True)


def endpoint_form(problem: ValidationFailed) -> Form:
    """Return the submitted form again, with every event that was ticked."""
    form = refilled(problem)
    return Form({**form.values, "events": request.form.getlist("events")}, form.errors)


def _page(visitor: Visitor, wanted: EndpointFilter, form: Form, status: int = 200) -> Response:
    with service(Database).reading() as connection:
        found = load_endpoints(connection, visitor.principal, wanted)
        successes = load_last_successes(connection, [row.id for row in found])
    shown = listed(WEBHOOKS, found, wanted.limit, lambda row: row.id)
    return page_answer(
        visitor,
        "webhooks/list.html",
        status,
        **shown,
        form=form,
        events=EVENTS,
        successes=successes,
    )
