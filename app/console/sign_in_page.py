"""Pages of signing in and out, and of moving to another workspace."""

from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from flask import Response, request

from app.access.roles import Role
from app.access.scope import require_workspace
from app.console.cookies import drop_token, keep_token, presented_token
from app.console.forms import Form
from app.console.guard import SIGN_IN, Stranger, Visits
from app.console.pages import draw, go_to, page_around
from app.db.engine import Database
from app.kernel.clock import Clock
from app.kernel.errors import NotFound
from app.kernel.ids import parse_id
from app.people.session_tokens import hash_session_token
from app.people.sessions import end_session, move_session
from app.people.sign_in import SignedIn, SignIn, SignInRefused
from app.people.visitor import Visitor
from app.web.html import html_answer
from app.web.routes import Answer, Routes
from app.web.wiring import service

routes = Routes("Console", described=False)
HOME = "/console"
_BY_CODE = SIGN_IN + "/code"
_REFUSED = (
    "That did not let you in. Check what you typed; after several wrong tries sign-in pauses for a "
    "while."
)


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
    given = request.form
    operation = service(SignIn)
    try:
        if given.get("access_key"):
            signed_in = operation.by_key(given["access_key"].strip(), presented_token())
        else:
            email, password = given.get("email", ""), given.get("password", "")
            signed_in = operation.by_password(email, password, presented_token())
    except SignInRefused:
        form = Form({"email": given.get("email", "")}, {"": [_REFUSED]})
        return _page("sign_in.html", 403, form=form)
    return welcome(signed_in)


@routes.add("GET", _BY_CODE, guard=Stranger(), answers={200: "text/html"})
def second_factor_page(_: None) -> Answer:
    """Ask for the code of the authenticator app."""
    return _page("sign_in_code.html")


@routes.add("POST", _BY_CODE, guard=Stranger(), answers={303: None, 403: "text/html"})
def sign_in_by_code(_: None) -> Answer:
    """Complete a sign-in by the code of the authenticator app."""
    try:
        signed_in = service(SignIn).by_code(presented_token() or "", request.form.get("code", ""))
    except SignInRefused:
        return _page("sign_in_code.html", 403, form=Form({}, {"code": [_REFUSED]}))
    return welcome(signed_in)


@routes.add("POST", "/console/sign-out", guard=Stranger(), answers={303: None})
def sign_out(_: None) -> Answer:
    """End the session."""
    token = presented_token()
    if token is not None:
        with service(Database).writing_once() as connection:
            end_session(connection, hash_session_token(token), service(Clock).now())
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
    return go_to(_wanted())


def _page(template: str, status: int = 200, form: Form | None = None) -> Response:
    offers_provider = service(OffersProvider).is_offered
    text = draw(template, form=form or Form(), wanted=_wanted(), offers_provider=offers_provider)
    return page_around(html_answer(text, status))


def refused_page(why: str, status: int = 403) -> Response:
    """Show the ways to sign in again, and why the one tried did not work."""
    return _page("sign_in.html", status, form=Form({}, {"": [why]}))


def welcome(signed_in: SignedIn) -> Response:
    """Go on to the page wanted, or to the second factor, with the new session's token."""
    answer = go_to(_BY_CODE if signed_in.awaits_second_factor else _wanted())
    keep_token(answer, signed_in.token)
    return answer


def _wanted() -> str:
    """Return the page to go on to: one of ours, whatever the form says."""
    given = request.values.get("next", "")
    parts = urlsplit(given)
    is_ours = not parts.scheme and not parts.netloc and parts.path.startswith("/console")
    is_plain = given.isascii() and given.isprintable() and "\\" not in given
    return given if is_ours and is_plain else HOME
