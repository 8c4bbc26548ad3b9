"""The page of one endpoint: health, settings, deliveries."""

from functools import partial
from uuid import UUID

from flask import Response, request
from marshmallow import fields

from app.console.ui.forms import Form, read_search
from app.console.ui.guards import VIEWER, Pages
from app.console.ui.lists import listed
from app.console.ui.pages import page_answer
from app.console.webhooks.labels import EVENTS, STATES, attempt_label
from app.console.webhooks.page import WEBHOOKS
from app.db.engine import Database
from app.users.current_user import CurrentUser
from app.web.fields import StrictSchema, one_of
from app.web.pages import PageToken
from app.web.registry import get_service
from app.web.routes import Answer
from app.webhooks.attempt import Attempt, DeliveryState
from app.webhooks.deliveries import DeliveryFilter, load_attempts, load_deliveries
from app.webhooks.endpoints import load_endpoint
from app.webhooks.health import load_last_successes

routes = Pages()
WEBHOOK = WEBHOOKS + "/{endpoint_id}"
_SHOWN = 20


class DeliverySearch(StrictSchema):
    """Query of the page."""

    makes = partial(DeliveryFilter, limit=_SHOWN)
    state = fields.String(validate=one_of(DeliveryState))
    page_token = PageToken(load_default=None)


@routes.get(WEBHOOK, VIEWER)
def webhook_page(current_user: CurrentUser, endpoint_id: UUID) -> Answer:
    """Show one endpoint with its deliveries, newest first."""
    return render_webhook_page(current_user, endpoint_id, read_search(DeliverySearch))


def render_webhook_page(
    current_user: CurrentUser,
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
    with get_service(Database).reading() as connection:
        row = load_endpoint(connection, current_user.principal, endpoint_id)
        successes = load_last_successes(connection, [endpoint_id])
        found = load_deliveries(connection, endpoint_id, wanted)
        attempts = load_attempts(connection, [one.id for one in found])
    shown = listed(f"{WEBHOOKS}/{endpoint_id}", found, wanted.limit)
    shown |= {"form": Form({"url": row.url, "events": row.events}), "switching": Form()} | forms
    return page_answer(
        current_user,
        "webhooks/one.html",
        status,
        row=row,
        last_success=successes.get(endpoint_id),
        attempts=attempts,
        search=Form(request.args.to_dict()),
        events=EVENTS,
        states=STATES,
        state_options=[("", "Any status"), *((state, state) for state in STATES)],
        attempt_label=attempt_label,
        tested=tested,
        **shown,
    )
