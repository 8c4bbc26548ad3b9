"""The page of alerts."""

from typing import Any
from uuid import UUID

from flask import Response
from marshmallow import post_load

from app.console.ui.forms import listed, searched
from app.console.ui.guard_labels import KINDS, NAMES, alert_text
from app.console.ui.guards import ADMIN, VIEWER, Pages
from app.console.ui.pages import page_answer, redirect_with_flash, wanted_page
from app.db.rows import AnyRow
from app.guards.alerts import AlertKind
from app.guards.manage_alerts import AcknowledgeAlert, AlertFilter, load_alerts
from app.users.current_user import CurrentUser
from app.web.fields import Choice, StrictSchema, Text, one_of
from app.web.pages import PageToken
from app.web.registry import get_service, reading

routes = Pages()
ALERTS = "/console/alerts"
_SHOWN = 40
_STATES = {"open": "Open", "cleared": "Cleared"}


class AlertSearch(StrictSchema):
    page_token = PageToken(load_default=None)
    kind = Choice(AlertKind)
    state = Text(validate=one_of(_STATES))

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> AlertFilter:
        state = data.pop("state", None)
        return AlertFilter(_SHOWN, is_open=None if state is None else state == "open", **data)


@routes.get(ALERTS, VIEWER)
def alerts_page(current_user: CurrentUser) -> Response:
    form, wanted = searched(AlertSearch)
    rows: list[AnyRow] = []
    if wanted is not None:
        with reading() as connection:
            rows = load_alerts(connection, current_user.principal, wanted)
    return page_answer(
        current_user,
        "guards/alerts.html",
        200 if wanted else 422,
        form=form,
        **listed(ALERTS, rows, _SHOWN),
        kinds=[("", "Any kind"), *KINDS.items()],
        states=[("", "Any status"), *_STATES.items()],
        kind_labels=KINDS,
        guard_names=NAMES,
        alert_text=alert_text,
    )


@routes.post(ALERTS + "/{alert_id}/acknowledge", ADMIN)
def mark_alert_as_seen(current_user: CurrentUser, alert_id: UUID) -> Response:
    get_service(AcknowledgeAlert)(current_user.principal, alert_id)
    return redirect_with_flash(wanted_page(ALERTS), "Acknowledged.")
