"""The first page after sign-in."""

from app.access.roles import Role
from app.console.guard import Visits
from app.console.pages import page_answer
from app.people.visitor import Visitor
from app.web.routes import Answer, Routes

routes = Routes("Console", described=False)


@routes.add("GET", "/console", guard=Visits(Role.VIEWER), answers={200: "text/html"})
def overview_page(visitor: Visitor) -> Answer:
    """Show how the workspace is doing."""
    return page_answer(visitor, "overview.html")
