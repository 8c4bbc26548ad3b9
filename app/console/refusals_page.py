"""The page of refusals: what was turned away lately, and what each code means."""

from flask import request

from app.access.roles import Role
from app.console.choices import choices_of, country_choices, use_case_choices
from app.console.forms import Form, read_search, refilled
from app.console.guard import Visits
from app.console.lists import newest, older
from app.console.pages import page_answer
from app.console.searches import SHOWN, RefusalSearch
from app.console.verdict_words import refusal_words
from app.db.engine import Database
from app.destinations.refused import RefusalFilter, load_refusals
from app.kernel.errors import ValidationFailed
from app.messages.code_meanings import code_meaning, code_page
from app.messages.refusal_meanings import LISTED_CODES
from app.people.visitor import Visitor
from app.use_cases.read import load_use_case_names
from app.web.pages import page
from app.web.routes import Answer, Routes
from app.web.wiring import service

routes = Routes("Console", described=False)
REFUSALS = "/console/refusals"


@routes.add("GET", REFUSALS, guard=Visits(Role.VIEWER), answers={200: "text/html"})
def refusals_page(visitor: Visitor) -> Answer:
    """List what was turned away, newest first, by a search."""
    form, status = Form(request.args.to_dict()), 200
    wanted: RefusalFilter | None = None
    try:
        wanted = read_search(RefusalSearch)
    except ValidationFailed as problem:
        form, status = refilled(problem), 422
    found = []
    with service(Database).reading() as connection:
        names = load_use_case_names(connection, visitor.principal)
        if wanted is not None and visitor.place is not None:
            found = load_refusals(connection, visitor.place.workspace_id, wanted)
    listed = page(found, SHOWN, lambda row: row.id, lambda row: row)
    return page_answer(
        visitor,
        "refusals.html",
        status,
        form=form,
        items=listed["items"],
        next_path=older(REFUSALS, listed["next_page_token"]),
        newest_path=newest(REFUSALS),
        is_searched=any(value for name, value in form.values.items() if name != "page_token"),
        use_cases=names,
        use_case_choices=use_case_choices("any use case", names),
        countries=country_choices("any country"),
        codes=choices_of("any reason", LISTED_CODES),
        refusal_words=refusal_words,
        code_meaning=code_meaning,
        code_page=code_page,
    )
