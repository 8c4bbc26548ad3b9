"""The page of refusals."""

from app.access.roles import Role
from app.console.choices import choices_of, country_choices, use_case_choices
from app.console.guard import Visits
from app.console.lists import listed, searched
from app.console.pages import page_answer
from app.console.searches import SHOWN, RefusalSearch
from app.console.verdict_words import refusal_words
from app.db.engine import Database
from app.destinations.refused import load_refusals
from app.messages.code_meanings import code_meaning, code_page
from app.messages.refusal_meanings import LISTED_CODES
from app.people.visitor import Visitor
from app.use_cases.read import load_use_case_names
from app.web.routes import Answer, Routes
from app.web.wiring import service

routes = Routes("Console", described=False)
REFUSALS = "/console/refusals"


@routes.add("GET", REFUSALS, guard=Visits(Role.VIEWER), answers={200: "text/html"})
def refusals_page(visitor: Visitor) -> Answer:
    """List refusals by a search, newest first."""
    form, wanted = searched(RefusalSearch)
    found = []
    with service(Database).reading() as connection:
        names = load_use_case_names(connection, visitor.principal)
        if wanted is not None and visitor.place is not None:
            found = load_refusals(connection, visitor.place.workspace_id, wanted)
    shown = listed(REFUSALS, found, SHOWN, lambda row: row.id)
    return page_answer(
        visitor,
        "refusals.html",
        200 if wanted else 422,
        **shown,
        form=form,
        use_cases=names,
        use_case_choices=use_case_choices("Any use case", names),
        countries=country_choices("Any country"),
        codes=choices_of("Any reason", LISTED_CODES),
        refusal_words=refusal_words,
        code_meaning=code_meaning,
        code_page=code_page,
    )
