"""Forms of workspaces, converted to the API's bodies, and their problems converted back."""

from typing import Any

from flask import request

from app.kernel.errors import ValidationFailed
from app.kernel.whole_numbers import read_whole_number

_DAYS = ("body_retention_days", "number_retention_days")
_ACCOUNT = "$.twilio."


def plain_given() -> dict[str, object]:
    """Return the plain fields of the form as they are: an empty one is no field left out."""
    given: dict[str, object] = {}
    for name in ("name", "home_country"):
        if name in request.form:
            given[name] = request.form[name]
    for name in _DAYS:
        if name in request.form:
            text = request.form[name].strip()
            number = read_whole_number(text)
            given[name] = text if number is None else number
    return given


def account_given() -> dict[str, object]:
    """Return the provider account of the form; an empty field is left out."""
    names = ("account_sid", "auth_token", "next_auth_token")
    account: dict[str, Any] = {
        name: request.form[name].strip() for name in names if request.form.get(name, "").strip()
    }
    if request.form.get("forget_next"):
        account["next_auth_token"] = None
    return {"twilio": account} if account else {}


def beside_fields(problem: ValidationFailed) -> ValidationFailed:
    """Return the problems with those of the provider account at the fields of the form."""
    details = problem.details or {}
    return ValidationFailed(
        {
            f"$.{path.removeprefix(_ACCOUNT)}" if path.startswith(_ACCOUNT) else path: texts
            for path, texts in details.items()
        }
    )
