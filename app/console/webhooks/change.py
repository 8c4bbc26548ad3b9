"""Changes on the page of an endpoint: edit, switch, rotate, delete, replay."""

from uuid import UUID

from flask import request

from app.access.actor import actor_of
from app.access.roles import Role
from app.console.forms import Form, read_form, refilled
from app.console.guard import Visits
from app.console.pages import go_to, page_answer
from app.console.webhooks.one import WEBHOOK, draw_webhook
from app.console.webhooks.page import WEBHOOKS, endpoint_form
from app.db.engine import Database
from app.kernel.clock import Clock
from app.kernel.errors import NotFound, ValidationFailed
from app.people.visitor import Visitor
from app.web.routes import Answer, Routes
from app.web.wiring import service
from app.webhooks.deliveries import replay_delivery
from app.webhooks.manage import ManageEndpoints
from app.webhooks.schemas import EndpointBody
from app.webhooks.send_test import SendTestEvent

routes = Routes("Console", described=False)
_ADMIN = Visits(Role.ADMIN)
_SWITCH = {"true": True, "false": False}


@routes.add("POST", WEBHOOK, guard=_ADMIN, answers={303: None}, errors=(NotFound,))
def save_endpoint(visitor: Visitor, endpoint_id: UUID) -> Answer:
    """Change the URL and the events."""
    principal = visitor.principal
    try:
        given = read_form(EndpointBody)
    except ValidationFailed as problem:
        return draw_webhook(visitor, endpoint_id, status=422, form=endpoint_form(problem))
    wanted = {"url": given.url, "events": given.events}
    service(ManageEndpoints).change(principal, endpoint_id, wanted, actor_of(principal))
    return go_to(f"{WEBHOOKS}/{endpoint_id}", "Saved. In effect for the next event.")


@routes.add("POST", WEBHOOK + "/switch", guard=_ADMIN, answers={303: None}, errors=(NotFound,))
def switch_endpoint(visitor: Visitor, endpoint_id: UUID) -> Answer:
    """Disable or enable an endpoint, as the button says that was pressed."""
    principal = visitor.principal
    given = request.form.get("active")
    if given not in _SWITCH:
        problem = Form({}, {"": ["Choose whether the endpoint is active."]})
        return draw_webhook(visitor, endpoint_id, status=422, switching=problem)
    wanted = {"active": _SWITCH[given]}
    row = service(ManageEndpoints).change(principal, endpoint_id, wanted, actor_of(principal))
    told = "Endpoint enabled. New events are sent to it." if row.active else "Endpoint disabled."
    return go_to(f"{WEBHOOKS}/{endpoint_id}", told)


@routes.add(
    "POST", WEBHOOK + "/rotate", guard=_ADMIN, answers={200: "text/html"}, errors=(NotFound,)
)
def rotate_secret(visitor: Visitor, endpoint_id: UUID) -> Answer:
    """Give an endpoint a new secret, and show it this once."""
    principal = visitor.principal
    made = service(ManageEndpoints).rotate(principal, endpoint_id, actor_of(principal))
    return page_answer(visitor, "webhooks/secret.html", made=made, is_new=False)


@routes.add("POST", WEBHOOK + "/test", guard=_ADMIN, answers={200: "text/html"}, errors=(NotFound,))
def send_test_event(visitor: Visitor, endpoint_id: UUID) -> Answer:
    """Send a signed test event now, and show the answer."""
    result = service(SendTestEvent)(visitor.principal, endpoint_id)
    return draw_webhook(visitor, endpoint_id, tested=result)


@routes.add("POST", WEBHOOK + "/delete", guard=_ADMIN, answers={303: None}, errors=(NotFound,))
def drop_endpoint(visitor: Visitor, endpoint_id: UUID) -> Answer:
    """Delete an endpoint with the record of its deliveries."""
    principal = visitor.principal
    service(ManageEndpoints).delete(principal, endpoint_id, actor_of(principal))
    return go_to(WEBHOOKS, "Endpoint deleted.")


@routes.add(
    "POST",
    WEBHOOK + "/deliveries/{delivery_id}/replay",
    guard=_ADMIN,
    answers={303: None},
    errors=(NotFound,),
)
def send_once_more(visitor: Visitor, endpoint_id: UUID, delivery_id: UUID) -> Answer:
    """Send the event of a delivery once more."""
    principal, now = visitor.principal, service(Clock).now()
    try:
        with service(Database).writing() as connection:
            replay_delivery(connection, principal, delivery_id, actor_of(principal), now)
    except ValidationFailed as problem:
        return draw_webhook(visitor, endpoint_id, status=422, switching=refilled(problem))
    told = "Resending the event as a new delivery with the same webhook-id."
    return go_to(f"{WEBHOOKS}/{endpoint_id}", told)
