"""Submissions as a send opens them."""

from datetime import datetime
from typing import Any

from app.kernel.ids import new_id
from app.kernel.phone import PhoneNumber
from app.messages.sending.open_submission import NewSubmission
from support.factories import ACCOUNT, US_NUMBER, Tenant


def new_submission(tenant: Tenant, at: datetime, **changed: Any) -> NewSubmission:
    """A message of one segment to the USA, with the given facts instead."""
    facts: dict[str, Any] = {
        "message_id": new_id(),
        "workspace_id": tenant.workspace_id,
        "use_case_id": tenant.use_case_id,
        "account_sid": ACCOUNT,
        "to_number": PhoneNumber(US_NUMBER),
        "country": "US",
        "body": "Your code is 1234",
        "counted_segments": 1,
        "policy_revision": 1,
        "created_at": at,
    }
    return NewSubmission(**facts | changed)
