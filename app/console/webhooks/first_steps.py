"""First steps for developers: a key, a request, a webhook."""

from app.console.ui.guards import VIEWER, Pages
from app.console.ui.pages import page_answer
from app.settings import Settings
from app.use_cases.read import load_use_case_names
from app.users.current_user import CurrentUser
from app.web.database import reading
from app.web.registry import get_service
from app.web.routes import Answer
from app.webhooks.endpoints import MAX_ENDPOINTS, EndpointFilter, load_endpoints

routes = Pages()
FIRST_STEPS = "/console/first-steps"


@routes.get(FIRST_STEPS, VIEWER)
def first_steps_page(current_user: CurrentUser) -> Answer:
    with reading() as connection:
        names = load_use_case_names(connection, current_user.principal)
        wanted = EndpointFilter(limit=MAX_ENDPOINTS)
        endpoints = load_endpoints(connection, current_user.principal, wanted)
    return page_answer(
        current_user,
        "webhooks/first_steps.html",
        use_cases=names,
        endpoints=endpoints,
        public_url=get_service(Settings).public_url,
    )
