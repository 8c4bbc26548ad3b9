"""Changes on the page of an endpoint: edit, switch, rotate, delete, replay."""

from uuid import UUID

from flask import request

from app.access.principal import actor_of
from app.console.ui.forms import Form, read_form, refilled
from app.console.ui.guards import ADMIN, Pages
from app.console.ui.pages import page_answer, redirect_with_flash
from app.console.webhooks.one import WEBHOOK, render_webhook_page
from app.console.webhooks.page import WEBHOOKS, endpoint_form
from app.db.engine import Database
from app.kernel.clock import Clock
from app.kernel.errors import ValidationFailed
from app.users.current_user import CurrentUser
from app.web.registry import get_service
from app.web.routes import Answer
from app.webhooks.deliveries import replay_delivery
from app.webhooks.manage import ManageEndpoints
from app.webhooks.schemas import EndpointBody
from app.webhooks.send_test import SendTestEvent

routes = Pages()
_SWITCH = {"true": True, "false": False}


@routes.post(WEBHOOK, ADMIN)
def save_endpoint(current_user: CurrentUser, endpoint_id: UUID) -> Answer:
    """Change the URL and the events."""
    principal = current_user.principal
    try:
        given = read_form(EndpointBody)
    except ValidationFailed as problem:
        return render_webhook_page(
            current_user, endpoint_id, status=422, form=endpoint_form(problem)
        )
    wanted = {"url": given.url, "events": given.events}
    get_service(ManageEndpoints).change(principal, endpoint_id, wanted, actor_of(principal))
    return redirect_with_flash(f"{WEBHOOKS}/{endpoint_id}", "Saved. In effect for the next event.")


@routes.post(WEBHOOK + "/switch", ADMIN)
def switch_endpoint(current_user: CurrentUser, endpoint_id: UUID) -> Answer:
    """Disable or enable an endpoint, as the button says that was pressed."""
    principal = current_user.principal
    given = request.form.get("active")
    if given not in _SWITCH:
        problem = Form({}, {"": ["Choose whether the endpoint is active."]})
        return render_webhook_page(current_user, endpoint_id, status=422, switching=problem)
    wanted = {"active": _SWITCH[given]}
    row = get_service(ManageEndpoints).change(principal, endpoint_id, wanted, actor_of(principal))
    told = "Endpoint enabled. New events are sent to it." if row.active else "Endpoint disabled."
    return redirect_with_flash(f"{WEBHOOKS}/{endpoint_id}", told)


@routes.post(WEBHOOK + "/rotate", ADMIN)
def rotate_secret(current_user: CurrentUser, endpoint_id: UUID) -> Answer:
    """Give an endpoint a new secret, and show it this once."""
    principal = current_user.principal
    made = get_service(ManageEndpoints).rotate(principal, endpoint_id, actor_of(principal))
    return page_answer(current_user, "webhooks/secret.html", made=made, is_new=False)


@routes.post(WEBHOOK + "/test", ADMIN)
def send_test_event(current_user: CurrentUser, endpoint_id: UUID) -> Answer:
    """Send a signed test event now, and show the answer."""
    result = get_service(SendTestEvent)(current_user.principal, endpoint_id)
    return render_webhook_page(current_user, endpoint_id, tested=result)


@routes.post(WEBHOOK + "/delete", ADMIN)
def drop_endpoint(current_user: CurrentUser, endpoint_id: UUID) -> Answer:
    """Delete an endpoint with the record of its deliveries."""
    principal = current_user.principal
    get_service(ManageEndpoints).delete(principal, endpoint_id, actor_of(principal))
    return redirect_with_flash(WEBHOOKS, "Endpoint deleted.")


@routes.post(WEBHOOK + "/deliveries/{delivery_id}/replay", ADMIN)
def send_once_more(current_user: CurrentUser, endpoint_id: UUID, delivery_id: UUID) -> Answer:
    """Send the event of a delivery once more."""
    principal, now = current_user.principal, get_service(Clock).now()
    try:
        with get_service(Database).writing() as connection:
            replay_delivery(connection, principal, delivery_id, actor_of(principal), now)
    except ValidationFailed as problem:
        return render_webhook_page(
            current_user, endpoint_id, status=422, switching=refilled(problem)
        )
    told = "Resending the event as a new delivery with the same webhook-id."
    return redirect_with_flash(f"{WEBHOOKS}/{endpoint_id}", told)
