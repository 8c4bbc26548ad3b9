"""The log line of a geo permission check."""

import structlog

from app.destinations.provider_check import Checked

_log = structlog.get_logger(__name__)


def log_checked(checked: Checked) -> None:
    """Say whether Twilio and the policy of a workspace agree, differ, or cannot be compared."""
    workspace_id = str(checked.asked.workspace_id)
    comparison = checked.view.comparison
    if checked.problem is not None:
        why = str(checked.problem)
        _log.warning("geo_permissions_unknown", workspace_id=workspace_id, why=why)
    elif comparison.differs:
        _log.warning(
            "geo_permissions_differ",
            workspace_id=workspace_id,
            allowed_here_closed_there=list(comparison.allowed_here_closed_there),
            closed_here_open_there=list(comparison.closed_here_open_there),
        )
    else:
        _log.info("geo_permissions_agree", workspace_id=workspace_id)
