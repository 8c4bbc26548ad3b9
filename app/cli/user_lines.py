"""Formatting of users; never of passwords or secrets."""

from typing import Any

from app.db.rows import AnyRow
from app.kernel.clock import rfc3339


def user_as_json(user: AnyRow, memberships: list[AnyRow]) -> dict[str, Any]:
    """Return a user with the roles; ``workspace`` is null for a role in all of them."""
    return {
        "id": str(user.id),
        "email": user.email,
        "name": user.name,
        "roles": [
            {
                "role": of.role,
                "workspace": None
                if of.workspace_id is None
                else {"id": str(of.workspace_id), "name": of.workspace_name},
            }
            for of in memberships
            if of.user_id == user.id
        ],
        "has_password": user.password_hash is not None,
        "has_second_factor": user.totp_secret is not None,
        "disabled_at": None if user.disabled_at is None else rfc3339(user.disabled_at),
        "created_at": rfc3339(user.created_at),
    }


def user_line(shown: dict[str, Any]) -> str:
    """Return a person as one line for people."""
    roles = ", ".join(
        f"{of['role']} in {of['workspace']['name'] if of['workspace'] else 'every workspace'}"
        for of in shown["roles"]
    )
    state = "live" if shown["disabled_at"] is None else "disabled"
    factor = ", second factor" if shown["has_second_factor"] else ""
    return f"{shown['email']}  {state:<8}  {shown['name']} ({roles}{factor})"
