"""The page of refusals."""

from app.console.messages.searches import SHOWN, RefusalSearch
from app.console.messages.verdict_labels import refusal_label
from app.console.ui.guards import VIEWER, Pages
from app.console.ui.lists import listed, searched
from app.console.ui.options import named_country_options, options_of, use_case_options
from app.console.ui.pages import page_answer
from app.db.engine import Database
from app.destinations.refusals import load_refusals
from app.messages.meanings import LISTED_CODES, code_meaning, code_page
from app.use_cases.read import load_use_case_names
from app.users.current_user import CurrentUser
from app.web.registry import get_service
from app.web.routes import Answer

routes = Pages()
REFUSALS = "/console/refusals"


@routes.get(REFUSALS, VIEWER)
def refusals_page(current_user: CurrentUser) -> Answer:
    """List refusals by a search, newest first."""
    form, wanted = searched(RefusalSearch)
    found = []
    with get_service(Database).reading() as connection:
        names = load_use_case_names(connection, current_user.principal)
        if wanted is not None and current_user.workspace_access is not None:
            found = load_refusals(connection, current_user.workspace_access.workspace_id, wanted)
    shown = listed(REFUSALS, found, SHOWN)
    return page_answer(
        current_user,
        "messages/refusals.html",
        200 if wanted else 422,
        **shown,
        form=form,
        use_cases=names,
        use_case_options=use_case_options("Any use case", names),
        countries=named_country_options("Any country"),
        codes=options_of("Any reason", LISTED_CODES),
        refusal_label=refusal_label,
        code_meaning=code_meaning,
        code_page=code_page,
    )
