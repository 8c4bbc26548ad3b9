"""The page Manage Destinations as a person without scripts uses it."""

from dataclasses import dataclass

from werkzeug.test import TestResponse

from app.access.principal import Role
from support.console import Console, signed_in
from support.destinations import PolicyClient
from support.forms import form_of

PAGE = "/console/destinations"


@dataclass
class DestinationPage:
    """One window with the page in it; each press submits the form that the window shows."""

    policy: PolicyClient
    console: Console
    shown: TestResponse

    @property
    def text(self) -> str:
        return " ".join(self.shown.text.split())

    def reload(self) -> "DestinationPage":
        self.shown = self.console.get(PAGE)
        return self

    def press(self, label: str, action: str = PAGE, **filled: str | list[str]) -> TestResponse:
        """Press a button; after a change, follow to the page that tells it."""
        sent = form_of(self.shown.text, action, label).pressed(label, **filled)
        self.shown = self.console.post_without_token(action, sent)
        answer = self.shown
        if answer.status_code == 303:
            self.shown = self.console.get(answer.headers["Location"])
        return answer

    def select(self, code: str, button: str = "Add", **more: str) -> TestResponse:
        return self.press(button, country=code, **more)


def open_page(policy: PolicyClient, role: Role = Role.ADMIN) -> DestinationPage:
    """Sign in with the desk's key and open the page."""
    console = signed_in(policy.gateway, policy.tenant.keys[role])
    return DestinationPage(policy, console, console.get(PAGE))
