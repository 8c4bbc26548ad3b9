"""Open alerts that nobody has acknowledged, for the banner of every page."""

from dataclasses import dataclass

from app.console.guard_labels import KINDS, alert_text
from app.db.engine import Database
from app.guards.manage_alerts import AlertFilter, load_alerts
from app.users.current_user import CurrentUser
from app.web.registry import get_service

_MOST = 3


@dataclass(frozen=True, slots=True)
class OpenAlert:
    """One alert in words."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class OpenAlerts:
    """The newest alerts, and whether there are more."""

    shown: tuple[OpenAlert, ...] = ()
    has_more: bool = False


def load_open_alerts(current_user: CurrentUser) -> OpenAlerts:
    """Load the alerts of the workspace that the pages show."""
    if current_user.workspace_access is None:
        return OpenAlerts()
    wanted = AlertFilter(limit=_MOST, is_open=True, is_acknowledged=False)
    with get_service(Database).reading() as connection:
        rows = load_alerts(connection, current_user.principal, wanted)
    shown = tuple(OpenAlert(KINDS[row.kind], alert_text(row)) for row in rows[:_MOST])
    return OpenAlerts(shown, len(rows) > _MOST)
