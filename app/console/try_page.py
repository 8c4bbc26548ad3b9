"""Check a number, and send a test message to it."""

import json
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from flask import flash, request

from app.access.roles import Role
from app.console.choices import use_case_choices
from app.console.forms import Form, read_form, read_search, refilled
from app.console.guard import Visits
from app.console.messages_page import MESSAGES
from app.console.pages import go_to, page_answer
from app.console.searches import NumberSearch
from app.console.typed_number import tidy_number
from app.console.verdict_words import allowed_words, blocked_words, invalid_words, rule_words
from app.db.engine import Database
from app.kernel import errors as e
from app.kernel.clock import Clock
from app.kernel.ids import parse_id
from app.messages.api import send_or_wait
from app.messages.code_meanings import code_meaning, code_page
from app.messages.idempotency import identify
from app.messages.refusal_meanings import refusal_meaning
from app.messages.request import SendCall, SendRequest
from app.messages.schemas import SendBody
from app.messages.trial import Trial, try_number
from app.people.visitor import Visitor
from app.settings import Settings
from app.use_cases.read import load_use_case_names
from app.web.errors import HTTP_STATUS
from app.web.routes import Answer, Routes
from app.web.waiting import may_wait
from app.web.wiring import service

routes = Routes("Console", described=False)
TRY = "/console/try"


@dataclass(frozen=True, slots=True)
class _Shown:
    """The content of the page; each send form has its own nonce."""

    asking: Form = field(default_factory=Form)
    sending: Form = field(default_factory=Form)
    trial: Trial | None = None
    refused: e.PublicError | None = None
    nonce: str = field(default_factory=lambda: str(uuid4()))


@routes.add("GET", TRY, guard=Visits(Role.VIEWER), answers={200: "text/html"})
def try_page(visitor: Visitor) -> Answer:
    """Say whether a number may be reached, and why."""
    asking = Form(request.args.to_dict())
    sending = Form({"to_phone_number": asking.value("number"), **asking.values})
    try:
        wanted = read_search(NumberSearch)
        trial = _judge(visitor, wanted["number"], wanted["use_case_id"])
    except e.ValidationFailed as problem:
        return _page(visitor, _Shown(refilled(problem), sending), 422)
    return _page(visitor, _Shown(asking, sending, trial))


def _judge(visitor: Visitor, number: str | None, use_case_id: UUID | None) -> Trial | None:
    if number is None or visitor.place is None:
        return None
    with service(Database).reading() as connection:
        try:
            return try_number(
                connection,
                visitor.principal,
                visitor.place.workspace_id,
                number=number,
                use_case_id=use_case_id,
                now=service(Clock).now(),
            )
        except e.UseCaseNotFound as problem:
            raise e.ValidationFailed({"$.use_case_id": [problem.text]}) from problem


@routes.add(
    "POST",
    TRY,
    guard=Visits(Role.SENDER),
    answers={303: None, 422: "text/html"},
    errors=(e.UseCaseNotFound,),
)
def send_test(visitor: Visitor) -> Answer:
    """Send a test, and go on to its message."""
    # A form that is sent twice sends once: its nonce is the key that a repeat is known by.
    given = parse_id(request.form.get("nonce", ""))
    nonce = str(given or uuid4())
    try:
        wanted = read_form(SendBody, to_phone_number=_typed_number())
        sent = send_or_wait(_call(visitor, wanted, nonce))
    except e.ValidationFailed as problem:
        return _page(visitor, _Shown(sending=refilled(problem), nonce=nonce), 422)
    except e.SubmissionUnconfirmed as unconfirmed:
        flash("Twilio did not confirm the message. It may have been sent.", "warn")
        return go_to(f"{MESSAGES}/{(unconfirmed.details or {})['id']}")
    except e.PublicError as refused:
        return _refused(visitor, refused, nonce)
    told = "This form was already sent. This is its message." if sent.replayed else "Sent."
    return go_to(f"{MESSAGES}/{json.loads(sent.answer)['id']}", told)


def _typed_number() -> str:
    return tidy_number(request.form.get("to_phone_number", ""))


def _call(visitor: Visitor, wanted: SendRequest, nonce: str) -> SendCall:
    body: dict[str, Any] = {
        "use_case_id": str(wanted.use_case_id),
        "to_phone_number": wanted.to_phone_number,
        "message": wanted.message,
    }
    idempotent = identify(f"console form {nonce}", body)
    return SendCall(visitor.principal, wanted, idempotent, may_wait(request.environ))


def _refused(visitor: Visitor, refused: e.PublicError, nonce: str) -> Answer:
    form = Form(request.form.to_dict())
    # While the first of two submits runs, the same form finds its message a moment later.
    kept = {"nonce": nonce} if isinstance(refused, e.IdempotencyConflict) else {}
    shown = _Shown(sending=form, refused=refused, **kept)  # type: ignore[arg-type]
    answer = _page(visitor, shown, HTTP_STATUS[type(refused)])
    if refused.retry_after_seconds is not None:
        answer.headers["Retry-After"] = str(refused.retry_after_seconds)
    return answer


def _page(visitor: Visitor, shown: _Shown, status: int = 200) -> Answer:
    with service(Database).reading() as connection:
        names = load_use_case_names(connection, visitor.principal)
    return page_answer(
        visitor,
        "try.html",
        status,
        shown=shown,
        use_cases=use_case_choices("Destination rules only", names),
        senders=list(names.items()),
        twilio_url=service(Settings).twilio_url,
        allowed_words=allowed_words,
        blocked_words=blocked_words,
        invalid_words=invalid_words,
        rule_words=rule_words,
        refusal_meaning=refusal_meaning,
        code_meaning=code_meaning,
        code_page=code_page,
    )
