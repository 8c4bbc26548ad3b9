"""Pages of webhook endpoints, and the first steps."""

from functools import partial
from uuid import UUID

from flask import Response, request
from marshmallow import fields

from app.access.guard import changing
from app.console.ui.forms import (
    ListSearch,
    check_unchanged,
    listed,
    read_form,
    read_search,
    refilled,
    refilling,
)
from app.console.ui.guards import ADMIN, VIEWER, Pages
from app.console.ui.pages import NO_FORM, Form, page_answer, redirect_with_flash
from app.db.rows import AnyRow
from app.kernel.errors import ValidationFailed
from app.settings import Settings
from app.use_cases.read import load_use_case_names
from app.users.current_user import CurrentUser
from app.web.fields import one_of
from app.web.registry import get_service, reading
from app.webhooks.api import EndpointBody
from app.webhooks.deliver import SendTestEvent
from app.webhooks.deliveries import DeliveryFilter, load_attempts, load_deliveries, replay_delivery
from app.webhooks.endpoints import (
    MAX_ENDPOINTS,
    EndpointFilter,
    ManageEndpoints,
    load_endpoint,
    load_endpoints,
    load_last_successes,
)
from app.webhooks.outbox import EventType
from app.webhooks.sender import Attempt, DeliveryState, Failure

EVENTS = {
    EventType.SMS_SENT: "handed to the carrier",
    EventType.SMS_DELIVERED: "delivered to the phone",
    EventType.SMS_UNDELIVERED: "not delivered by the carrier",
    EventType.SMS_FAILED: "failed before it was sent",
    EventType.DESTINATION_CHANGED: "destinations of the workspace changed",
    EventType.DESTINATION_DRIFT: "Twilio's geo permissions differ from the destinations",
    EventType.GUARD_TRIPPED: "a guard's limit was met",
    EventType.GUARD_CLEARED: "an alert was cleared",
    EventType.DELIVERY_COLLAPSED: "the delivery rate of a range or country collapsed",
    EventType.ENDPOINT_FAILING: "alert: a webhook endpoint is failing",
    EventType.GEO_DRIFT: "alert: Twilio's geo permissions differ from the destinations",
    EventType.REFUSALS_SPIKED: "alert: far more messages than usual were refused",
    EventType.CLOCK_DIFFERS: "alert: the clock of a host differs from the database's",
    EventType.WORKER_STUCK: "alert: a worker, or one of its tasks, does not work",
}
STATES = {
    DeliveryState.PENDING: "waiting for the next attempt",
    DeliveryState.DELIVERED: "accepted by the receiver",
    DeliveryState.FAILED: "no more attempts",
    DeliveryState.STOPPED: "the endpoint was disabled",
}
FAILURES = {
    Failure.TIMEOUT: "timeout",
    Failure.ADDRESS_REFUSED: "the host name resolves to a blocked address",
    Failure.NAME_NOT_FOUND: "DNS lookup failed",
    Failure.NOT_CONNECTED: "connection failed",
    Failure.TLS: "TLS failed, check the certificate",
    Failure.BROKEN_ANSWER: "invalid or incomplete HTTP response",
    Failure.INTERNAL: "internal error, not counted against the endpoint",
}
routes = Pages()
WEBHOOKS = "/console/webhooks"
WEBHOOK = WEBHOOKS + "/{endpoint_id}"
_SHOWN = 20
_SWITCH = {"true": True, "false": False}
FIRST_STEPS = "/console/first-steps"


def attempt_label(attempt: AnyRow | Attempt) -> str:
    if attempt.failure is not None:
        return FAILURES[Failure(attempt.failure)]
    return f"answered {attempt.status}"


class EndpointSearch(ListSearch):
    makes = partial(EndpointFilter, limit=MAX_ENDPOINTS)


@routes.get(WEBHOOKS, VIEWER)
def webhooks_page(current_user: CurrentUser, status: int = 200, form: Form = NO_FORM) -> Response:
    wanted = read_search(EndpointSearch)
    with reading() as connection:
        found = load_endpoints(connection, current_user.principal, wanted)
        successes = load_last_successes(connection, [row.id for row in found])
    shown = listed(WEBHOOKS, found, wanted.limit)
    return page_answer(
        "webhooks/list.html", status, **shown, form=form, events=EVENTS, successes=successes
    )


@routes.post(WEBHOOKS, ADMIN)
@refilling(webhooks_page)
def make_endpoint(current_user: CurrentUser) -> Response:
    """Only this answer shows the secret."""
    made = get_service(ManageEndpoints).create(current_user.principal, read_form(EndpointBody))
    return page_answer("webhooks/secret.html", made=made, is_new=True)


class DeliverySearch(ListSearch):
    makes = partial(DeliveryFilter, limit=_SHOWN)
    state = fields.String(validate=one_of(DeliveryState))


@routes.get(WEBHOOK, VIEWER)
def webhook_page(
    current_user: CurrentUser,
    endpoint_id: UUID,
    status: int = 200,
    tested: Attempt | None = None,
    **forms: Form,
) -> Response:
    """Raises `NotFound`."""
    wanted = read_search(DeliverySearch)
    with reading() as connection:
        row = load_endpoint(connection, current_user.principal, endpoint_id)
        successes = load_last_successes(connection, [endpoint_id])
        found = load_deliveries(connection, endpoint_id, wanted)
        attempts = load_attempts(connection, [one.id for one in found])
    shown = listed(f"{WEBHOOKS}/{endpoint_id}", found, wanted.limit)
    shown |= {"form": Form({"url": row.url, "events": row.events}), "switching": NO_FORM} | forms
    return page_answer(
        "webhooks/one.html",
        status,
        row=row,
        last_success=successes.get(endpoint_id),
        attempts=attempts,
        search=Form(request.args.to_dict()),
        events=EVENTS,
        states=STATES,
        state_options=[("", "Any state"), *((state, state) for state in STATES)],
        attempt_label=attempt_label,
        tested=tested,
        **shown,
    )


@routes.post(WEBHOOK, ADMIN)
@refilling(webhook_page)
def save_endpoint(current_user: CurrentUser, endpoint_id: UUID) -> Response:
    given = read_form(EndpointBody)
    wanted = {"url": given.url, "events": given.events}
    with reading() as connection:
        row = load_endpoint(connection, current_user.principal, endpoint_id)
    check_unchanged(row.url, row.events)
    get_service(ManageEndpoints).change(current_user.principal, endpoint_id, wanted)
    return redirect_with_flash(f"{WEBHOOKS}/{endpoint_id}", "Saved. In effect for the next event.")


@routes.post(WEBHOOK + "/switch", ADMIN)
@refilling(webhook_page, "switching")
def switch_endpoint(current_user: CurrentUser, endpoint_id: UUID) -> Response:
    given = request.form.get("active")
    if given not in _SWITCH:
        raise ValidationFailed({"$": ["Choose whether the endpoint is active."]})
    wanted = {"active": _SWITCH[given]}
    row = get_service(ManageEndpoints).change(current_user.principal, endpoint_id, wanted)
    notice = "Endpoint enabled. New events are sent to it." if row.active else "Endpoint disabled."
    return redirect_with_flash(f"{WEBHOOKS}/{endpoint_id}", notice)


@routes.post(WEBHOOK + "/rotate", ADMIN)
def rotate_secret(current_user: CurrentUser, endpoint_id: UUID) -> Response:
    """Only this answer shows the new secret."""
    made = get_service(ManageEndpoints).rotate(current_user.principal, endpoint_id)
    return page_answer("webhooks/secret.html", made=made, is_new=False)


@routes.post(WEBHOOK + "/test", ADMIN)
def send_test_event(current_user: CurrentUser, endpoint_id: UUID) -> Response:
    tested = get_service(SendTestEvent)(current_user.principal, endpoint_id)
    return webhook_page(current_user, endpoint_id, tested=tested)


@routes.post(WEBHOOK + "/delete", ADMIN)
def drop_endpoint(current_user: CurrentUser, endpoint_id: UUID) -> Response:
    get_service(ManageEndpoints).delete(current_user.principal, endpoint_id)
    return redirect_with_flash(WEBHOOKS, "Endpoint deleted.")


@routes.post(WEBHOOK + "/deliveries/{delivery_id}/replay", ADMIN)
def send_once_more(current_user: CurrentUser, endpoint_id: UUID, delivery_id: UUID) -> Response:
    try:
        with changing(current_user.principal) as change:
            replay_delivery(change, delivery_id)
    except ValidationFailed as problem:
        return webhook_page(current_user, endpoint_id, 422, switching=refilled(problem))
    notice = "Resending the event as a new delivery with the same webhook-id."
    return redirect_with_flash(f"{WEBHOOKS}/{endpoint_id}", notice)


@routes.get(FIRST_STEPS, VIEWER)
def first_steps_page(current_user: CurrentUser) -> Response:
    with reading() as connection:
        names = load_use_case_names(connection, current_user.principal)
        wanted = EndpointFilter(limit=MAX_ENDPOINTS)
        endpoints = load_endpoints(connection, current_user.principal, wanted)
    return page_answer(
        "webhooks/first_steps.html",
        use_cases=names,
        endpoints=endpoints,
        public_url=get_service(Settings).public_url,
    )
