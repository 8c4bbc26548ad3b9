"""The page of one endpoint: health, settings, deliveries."""

from uuid import UUID

from flask import Response, request
from marshmallow import fields, post_load

from app.access.roles import Role
from app.console.forms import Form, read_search
from app.console.guard import Visits
from app.console.lists import listed
from app.console.pages import page_answer
from app.console.webhooks.page import WEBHOOKS
from app.console.webhooks.words import EVENTS, STATES, attempt_words
from app.db.engine import Database
from app.kernel.errors import NotFound
from app.people.visitor import Visitor
from app.web.fields import StrictSchema, one_of
from app.web.pages import PageToken
from app.web.routes import Answer, Routes
from app.web.wiring import service
from app.webhooks.attempt import Attempt, DeliveryState
from app.webhooks.deliveries import DeliveryFilter, load_attempts, load_deliveries
from app.webhooks.endpoints import load_endpoint
from app.webhooks.health import load_last_successes

routes = Routes("Console", described=False)
WEBHOOK = WEBHOOKS + "/{endpoint_id}"
_SHOWN = 20


class DeliverySearch(StrictSchema):
    """Query of the page."""

    state = fields.String(validate=one_of(DeliveryState))
    page_token = PageToken(load_default=None)

    @post_load
    def _make(self, data: dict[str, object], **_: object) -> DeliveryFilter:
        return DeliveryFilter(limit=_SHOWN, **data)  # type: ignore[arg-type]


@routes.add(
    "GET",
    WEBHOOK,
    guard=Visits(Role.VIEWER),
    answers={200: "text/html"},
    errors=(NotFound,),
)
def webhook_page(visitor: Visitor, endpoint_id: UUID) -> Answer:
    """Show one endpoint with its deliveries, newest first."""
    return draw_webhook(visitor, endpoint_id, read_search(DeliverySearch))


def draw_webhook(
    visitor: Visitor,
    endpoint_id: UUID,
    wanted: DeliveryFilter | None = None,
    status: int = 200,
    tested: Attempt | None = None,
    **forms: Form,
) -> Response:
    """Draw the page, with the forms that were not right.

    Raises:
        NotFound: the endpoint is absent or another tenant's.
    """
    wanted = wanted or DeliveryFilter(limit=_SHOWN)
    with service(Database).reading() as connection:
        row = load_endpoint(connection, visitor.principal, endpoint_id)
        successes = load_last_successes(connection, [endpoint_id])
        found = load_deliveries(connection, endpoint_id, wanted)
        attempts = load_attempts(connection, [one.id for one in found])
    shown = listed(f"{WEBHOOKS}/{endpoint_id}", found, wanted.limit, lambda one: one.id)
    shown |= {"form": Form({"url": row.url, "events": row.events}), "switching": Form()} | forms
    return page_answer(
        visitor,
        "webhooks/one.html",
        status,
        row=row,
        last_success=successes.get(endpoint_id),
        attempts=attempts,
        search=Form(request.args.to_dict()),
        events=EVENTS,
        states=STATES,
        state_choices=[("", "Any status"), *((state, state) for state in STATES)],
        attempt_words=attempt_words,
        tested=tested,
        **shown,
    )
