"""The page that lists and creates use cases."""

from functools import partial

from flask import Response

from app.access.principal import actor_of
from app.console.ui.forms import Form, read_search, refilled
from app.console.ui.guards import ADMIN, VIEWER, Pages
from app.console.ui.lists import listed
from app.console.ui.pages import page_answer, redirect_with_flash
from app.console.use_cases.fields import EVERYWHERE, ON, naming_codes, read_use_case
from app.console.use_cases.labels import obstacles_of
from app.db.engine import Database
from app.kernel.clock import Clock
from app.kernel.errors import ValidationFailed
from app.use_cases.manage import create_use_case
from app.use_cases.read import UseCaseFilter, load_use_cases
from app.use_cases.schemas import UseCaseBody
from app.users.current_user import CurrentUser
from app.web.fields import StrictSchema
from app.web.pages import PageToken
from app.web.registry import get_service
from app.web.routes import Answer

routes = Pages()
USE_CASES = "/console/use-cases"
_SHOWN = 50
_NEW = Form({"active": ON, "reach": EVERYWHERE})


class UseCaseSearch(StrictSchema):
    """Query of the page."""

    makes = partial(UseCaseFilter, limit=_SHOWN)
    page_token = PageToken(load_default=None)


@routes.get(USE_CASES, VIEWER)
def use_cases_page(current_user: CurrentUser) -> Answer:
    """List use cases, oldest first."""
    return _page(current_user, read_search(UseCaseSearch), _NEW)


@routes.post(USE_CASES, ADMIN)
def make_use_case(current_user: CurrentUser) -> Answer:
    """Make a use case."""
    now = get_service(Clock).now()
    principal = current_user.principal
    try:
        wanted = read_use_case(UseCaseBody)
        with get_service(Database).writing() as connection:
            actor = actor_of(principal)
            made = create_use_case(connection, principal, wanted, actor=actor, now=now)
    except ValidationFailed as problem:
        form = refilled(naming_codes(problem))
        return _page(current_user, UseCaseFilter(limit=_SHOWN), form, 422)
    return redirect_with_flash(f"{USE_CASES}/{made.id}", "Use case created. Add a sender.")


def _page(
    current_user: CurrentUser, wanted: UseCaseFilter, form: Form, status: int = 200
) -> Response:
    with get_service(Database).reading() as connection:
        found = load_use_cases(connection, current_user.principal, wanted)
    shown = listed(USE_CASES, found, _SHOWN)
    return page_answer(
        current_user,
        "use_cases/list.html",
        status,
        **shown,
        form=form,
        obstacles_of=obstacles_of,
    )
