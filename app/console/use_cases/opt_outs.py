"""The page of opt-outs."""

from functools import partial
from uuid import UUID

from flask import Response, request

from app.access.guard import changing
from app.console.ui.forms import (
    ListSearch,
    PhoneNumberInput,
    read_form,
    refilling,
    searched_list,
    without_separators,
)
from app.console.ui.guards import ADMIN, VIEWER, Pages
from app.console.ui.pages import NO_FORM, Form, page_answer, redirect_with_flash
from app.providers.port import ErrorCodes
from app.use_cases.api import OptOutBody
from app.use_cases.opt_outs import (
    NewOptOut,
    OptOutFilter,
    OptOutSource,
    enter_opt_out,
    lift_opt_out,
    load_opt_outs,
)
from app.use_cases.read import UseCaseFilter, load_use_cases
from app.users.current_user import CurrentUser
from app.web.fields import Id
from app.web.registry import get_service, reading

routes = Pages()
OPT_OUTS = "/console/opt-outs"
_SHOWN = 50
_MOST_USE_CASES = 500
_SOURCES = {
    OptOutSource.KEYWORD: "STOP reply",
    OptOutSource.CONSOLE: "Added by hand",
    OptOutSource.API: "API",
}


class OptOutSearch(ListSearch):
    makes = partial(OptOutFilter, limit=_SHOWN)
    to_number = PhoneNumberInput()
    use_case_id = Id()


@routes.get(OPT_OUTS, VIEWER)
def opt_outs_page(current_user: CurrentUser, status: int = 200, form: Form = NO_FORM) -> Response:
    all_of_them = UseCaseFilter(limit=_MOST_USE_CASES)
    with reading() as connection:
        use_cases = load_use_cases(connection, current_user.principal, all_of_them)
        find = partial(load_opt_outs, connection, current_user.principal)
        found = searched_list(OPT_OUTS, OptOutSearch, find, status)
    return page_answer(
        "use_cases/opt_outs.html",
        **found,
        form=form,
        names={one.row.id: one.row.name for one in use_cases},
        source_label=partial(source_label, opted_out=get_service(ErrorCodes).opted_out),
    )


@routes.post(OPT_OUTS, ADMIN)
@refilling(opt_outs_page)
def enter_number(current_user: CurrentUser) -> Response:
    given = {"to_number": without_separators(request.form.get("to_number", ""))}
    wanted: NewOptOut = read_form(OptOutBody, **given, source=OptOutSource.CONSOLE.value)
    with changing(current_user.principal) as change:
        enter_opt_out(change, wanted)
    return redirect_with_flash(OPT_OUTS, "Opt-out added. Sends to this number are refused.")


@routes.post(OPT_OUTS + "/{opt_out_id}/remove", ADMIN)
def lift_number(current_user: CurrentUser, opt_out_id: UUID) -> Response:
    with changing(current_user.principal) as change:
        lift_opt_out(change, opt_out_id)
    return redirect_with_flash(OPT_OUTS, "Opt-out removed.")


def source_label(source: str, opted_out: int) -> str:
    """``opted_out`` is the provider's code of a refusal."""
    if source == OptOutSource.PROVIDER:
        return f"Twilio (error {opted_out})"
    return _SOURCES.get(source, source)  # type: ignore[call-overload, no-any-return]
