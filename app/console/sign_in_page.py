"""Pages for sign-in, sign-out and switching the workspace."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from uuid import UUID

from flask import Response, request, session

from app.access.roles import Role
from app.access.scope import require_workspace
from app.console.callers import current_caller, keep_browser
from app.console.cookies import drop_token, keep_token, presented_token
from app.console.forms import Form, read_form, refilled
from app.console.guard import SIGN_IN, Stranger, Visits
from app.console.pages import draw, go_to, page_around, wanted_page
from app.db.engine import Database
from app.kernel.clock import Clock
from app.kernel.errors import NotFound, RateLimited, ValidationFailed
from app.kernel.ids import parse_id
from app.people.session_tokens import hash_session_token
from app.people.sessions import move_session
from app.people.sign_in import SeveralAccounts, SignedIn, SignIn, SignInRefused, sign_out_of
from app.people.store import load_organization_names
from app.people.visitor import Visitor
from app.web.errors import HTTP_STATUS
from app.web.fields import Id, StrictSchema, Text
from app.web.html import html_answer
from app.web.routes import Answer, Routes
from app.web.wiring import service

routes = Routes("Console", described=False)
HOME = "/console"
_BY_CODE = SIGN_IN + "/code"
_REFUSED = (
    "E-mail or password is wrong. After several wrong attempts you have to wait before trying "
    "again."
)


class SignInForm(StrictSchema):
    """E-mail and password, or an access key; the organization where there are several."""

    email = Text(load_default="")
    password = Text(load_default="")
    access_key = Text(load_default="")
    organization_id = Id(load_default=None)


class CodeForm(StrictSchema):
    """A code of the authenticator app, or a recovery code."""

    code = Text(load_default="")


@dataclass(frozen=True, slots=True)
class OffersProvider:
    """Whether people may sign in at an identity provider too."""

    is_offered: bool


@routes.add("GET", SIGN_IN, guard=Stranger(), answers={200: "text/html"})
def sign_in_page(_: None) -> Answer:
    """Show the ways to sign in."""
    return _page("sign_in.html")


@routes.add("POST", SIGN_IN, guard=Stranger(), answers={303: None, 403: "text/html"})
def sign_in(_: None) -> Answer:
    """Sign in by password or by access key."""
    operation, caller = service(SignIn), current_caller()
    try:
        given = read_form(SignInForm)
        if given["access_key"]:
            signed_in = operation.by_key(given["access_key"].strip(), caller)
        else:
            signed_in = operation.by_password(
                given["email"], given["password"], caller, given["organization_id"]
            )
    except SignInRefused:
        return _page("sign_in.html", 403, form=_again(_REFUSED))
    except RateLimited as limited:
        return _limited("sign_in.html", limited, _again(limited.text))
    except SeveralAccounts as several:
        form = _again("Select the organization and enter the password again.")
        return _page("sign_in.html", 422, form=form, organizations=_named(several))
    except ValidationFailed as problem:
        return _page("sign_in.html", 422, form=refilled(problem))
    return welcome(signed_in)


@routes.add("GET", _BY_CODE, guard=Stranger(), answers={200: "text/html"})
def second_factor_page(_: None) -> Answer:
    """Ask for the code of the authenticator app."""
    return _page("sign_in_code.html")


@routes.add("POST", _BY_CODE, guard=Stranger(), answers={303: None, 403: "text/html"})
def sign_in_by_code(_: None) -> Answer:
    """Complete a sign-in by the code of the authenticator app."""
    try:
        given = read_form(CodeForm)
        signed_in = service(SignIn).by_code(given["code"], current_caller())
    except SignInRefused:
        return _page("sign_in_code.html", 403, form=Form({}, {"code": [_REFUSED]}))
    except RateLimited as limited:
        form = Form({}, {"code": [limited.text]})
        return _limited("sign_in_code.html", limited, form)
    except ValidationFailed as problem:
        return _page("sign_in_code.html", 422, form=Form({}, refilled(problem).errors))
    return welcome(signed_in)


@routes.add("POST", "/console/sign-out", guard=Stranger(), answers={303: None})
def sign_out(_: None) -> Answer:
    """End the session."""
    token = presented_token()
    if token is not None:
        with service(Database).writing() as connection:
            sign_out_of(connection, hash_session_token(token), service(Clock).now())
    session.clear()
    answer = go_to(SIGN_IN)
    drop_token(answer)
    return answer


@routes.add("POST", "/console/move", guard=Visits(Role.VIEWER), answers={303: None})
def move_to_workspace(visitor: Visitor) -> Answer:
    """Show another workspace from now on."""
    wanted = parse_id(request.form.get("workspace_id", ""))
    if wanted is None or visitor.reach.role_in(wanted) is None:
        raise NotFound
    wide = visitor.organization_principal or replace(visitor.principal, workspace_id=wanted)
    with service(Database).writing() as connection:
        require_workspace(connection, wide, wanted)
        move_session(connection, visitor.session_id, wanted)
    return go_to(wanted_page(HOME))


def _page(
    template: str,
    status: int = 200,
    form: Form | None = None,
    organizations: Mapping[UUID, str] | None = None,
    *,
    is_of_provider: bool = False,
) -> Response:
    text = draw(
        template,
        form=form or Form(),
        wanted=wanted_page(HOME),
        offers_provider=service(OffersProvider).is_offered,
        organizations=organizations or {},
        is_of_provider=is_of_provider,
    )
    return page_around(html_answer(text, status))


def _limited(template: str, limited: RateLimited, form: Form) -> Response:
    answer = _page(template, HTTP_STATUS[type(limited)], form=form)
    answer.headers["Retry-After"] = str(limited.retry_after_seconds)
    return answer


def _again(problem: str) -> Form:
    """Return the form with the address that was typed, and what was wrong."""
    return Form({"email": request.form.get("email", "")}, {"": [problem]})


def _named(several: SeveralAccounts) -> dict[UUID, str]:
    with service(Database).reading() as connection:
        return load_organization_names(connection, several.organization_ids)


def limited_page(limited: RateLimited) -> Response:
    """Show the ways to sign in, and that too many attempts failed."""
    return _limited("sign_in.html", limited, Form({}, {"": [limited.text]}))


def choice_page(several: SeveralAccounts) -> Response:
    """Let a person whom the provider has identified choose the organization."""
    form = Form({}, {"": ["You have accounts in several organizations. Select one."]})
    return _page("sign_in.html", 422, form=form, organizations=_named(several), is_of_provider=True)


def refused_page(why: str, status: int = 403) -> Response:
    """Show the ways to sign in again, and why the one tried did not work."""
    return _page("sign_in.html", status, form=Form({}, {"": [why]}))


def welcome(signed_in: SignedIn) -> Response:
    """Go on to the page wanted, or to the second factor, with the new session's token.

    The forms' token is new with it: nobody knows it who was here before.
    """
    session.clear()
    answer = go_to(_BY_CODE if signed_in.awaits_second_factor else wanted_page(HOME))
    keep_token(answer, signed_in.token)
    keep_browser(answer, signed_in)
    return answer
