"""First steps for developers: a key, a request, a webhook."""

from app.access.roles import Role
from app.console.guard import Visits
from app.console.pages import page_answer
from app.db.engine import Database
from app.people.visitor import Visitor
from app.settings import Settings
from app.use_cases.read import load_use_case_names
from app.web.routes import Answer, Routes
from app.web.wiring import service
from app.webhooks.endpoints import EndpointFilter, load_endpoints
from app.webhooks.manage import MAX_ENDPOINTS

routes = Routes("Console", described=False)
FIRST_STEPS = "/console/first-steps"


@routes.add("GET", FIRST_STEPS, guard=Visits(Role.VIEWER), answers={200: "text/html"})
def first_steps_page(visitor: Visitor) -> Answer:
    """Show how to send the first message and to receive the first event."""
    with service(Database).reading() as connection:
        names = load_use_case_names(connection, visitor.principal)
        wanted = EndpointFilter(limit=MAX_ENDPOINTS)
        endpoints = load_endpoints(connection, visitor.principal, wanted)
    return page_answer(
        visitor,
        "first_steps.html",
        use_cases=names,
        endpoints=endpoints,
        public_url=service(Settings).public_url,
    )
