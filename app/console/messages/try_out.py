"""Check a number, and send a test message to it."""

import json
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from flask import Response, flash, request

from app.console.messages.page import (
    MESSAGES,
    NumberSearch,
    allowed_label,
    blocked_label,
    invalid_label,
    rule_label,
)
from app.console.ui.forms import (
    read_form,
    read_search,
    refilled,
    use_case_options,
    without_separators,
)
from app.console.ui.guards import SENDER, VIEWER, Pages
from app.console.ui.pages import Form, page_answer, redirect_with_flash
from app.kernel import errors as e
from app.kernel.ids import parse_id
from app.messages.api import SendBody, send_or_wait
from app.messages.sending.idempotency import identify
from app.messages.sending.preflight import Preflight, run_preflight
from app.messages.sending.send import SendCall, SendRequest
from app.providers.port import GeoFacts
from app.settings import Settings
from app.use_cases.read import load_use_case_names
from app.users.current_user import CurrentUser
from app.web.errors import HTTP_STATUS, add_retry_headers
from app.web.registry import current_time, get_service, reading
from app.web.waiting import may_wait

routes = Pages()
TRY = "/console/try"


@dataclass(frozen=True, slots=True)
class _Shown:
    """Each send form has its own nonce."""

    asking: Form = field(default_factory=Form)
    sending: Form = field(default_factory=Form)
    preflight: Preflight | None = None
    refused: e.PublicError | None = None
    nonce: str = field(default_factory=lambda: str(uuid4()))


@routes.get(TRY, VIEWER)
def try_page(current_user: CurrentUser) -> Response:
    asking = Form(request.args.to_dict())
    sending = Form({"to_phone_number": asking.value("number"), **asking.values})
    try:
        wanted = read_search(NumberSearch)
        preflight = _preflight_of(current_user, wanted["number"], wanted["use_case_id"])
    except e.ValidationFailed as problem:
        return _page(current_user, _Shown(refilled(problem), sending), 422)
    return _page(current_user, _Shown(asking, sending, preflight))


def _preflight_of(
    current_user: CurrentUser, number: str | None, use_case_id: UUID | None
) -> Preflight | None:
    if number is None or current_user.workspace_access is None:
        return None
    with reading() as connection:
        try:
            return run_preflight(
                connection,
                current_user.principal,
                current_user.workspace_access.workspace_id,
                number=number,
                use_case_id=use_case_id,
                facts=get_service(GeoFacts),
                now=current_time(),
            )
        except e.UseCaseNotFound as problem:
            raise e.ValidationFailed({"$.use_case_id": [problem.text]}) from problem


@routes.post(TRY, SENDER)
def send_test(current_user: CurrentUser) -> Response:
    # A form that is submitted twice sends once: its nonce is the idempotency key.
    given = parse_id(request.form.get("nonce", ""))
    nonce = str(given or uuid4())
    try:
        number = without_separators(request.form.get("to_phone_number", ""))
        sent = send_or_wait(_call(current_user, read_form(SendBody, to_phone_number=number), nonce))
    except e.ValidationFailed as problem:
        return _page(current_user, _Shown(sending=refilled(problem), nonce=nonce), 422)
    except e.SubmissionUnconfirmed as unconfirmed:
        flash("Twilio did not confirm the message. It may have been sent.", "warn")
        return redirect_with_flash(f"{MESSAGES}/{(unconfirmed.details or {})['id']}")
    except e.PublicError as refused:
        return _refused(current_user, refused, nonce)
    notice = "This form was already sent. This is its message." if sent.replayed else "Sent."
    return redirect_with_flash(f"{MESSAGES}/{json.loads(sent.answer)['id']}", notice)


def _call(current_user: CurrentUser, wanted: SendRequest, nonce: str) -> SendCall:
    body: dict[str, Any] = {
        "use_case_id": str(wanted.use_case_id),
        "to_phone_number": wanted.to_phone_number,
        "message": wanted.message,
    }
    idempotent = identify(f"console form {nonce}", body)
    return SendCall(current_user.principal, wanted, idempotent, may_wait(request.environ))


def _refused(current_user: CurrentUser, refused: e.PublicError, nonce: str) -> Response:
    form = Form(request.form.to_dict())
    # While the first of two submits runs, keep the nonce, so that the form finds its message later.
    kept = {"nonce": nonce} if isinstance(refused, e.IdempotencyConflict) else {}
    shown = _Shown(sending=form, refused=refused, **kept)  # type: ignore[arg-type]
    return add_retry_headers(_page(current_user, shown, HTTP_STATUS[type(refused)]), refused)


def _page(current_user: CurrentUser, shown: _Shown, status: int = 200) -> Response:
    with reading() as connection:
        names = load_use_case_names(connection, current_user.principal)
    return page_answer(
        "messages/try_out.html",
        status,
        shown=shown,
        use_cases=use_case_options("Destination rules only", names),
        senders=list(names.items()),
        twilio_url=get_service(Settings).twilio_url,
        allowed_label=allowed_label,
        blocked_label=blocked_label,
        invalid_label=invalid_label,
        rule_label=rule_label,
        blocked_code=get_service(GeoFacts).error_code,
    )
