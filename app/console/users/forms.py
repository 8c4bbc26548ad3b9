"""Forms of users: a new user, and roles by workspace."""

from typing import Any
from uuid import UUID

from flask import request
from marshmallow import ValidationError as SchemaError
from marshmallow import fields, post_load

from app.access.principal import Role
from app.kernel.ids import parse_id
from app.web.fields import Id, StrictSchema, Text, one_of

# A select for each place: `role_` and a workspace, or this.
EVERYWHERE = "everywhere"
_FIELD = "role_"
_INCOMPLETE = "Select a workspace and a role, or neither."


class RolesForm(StrictSchema):
    """Roles by place, and one more place."""

    roles = fields.Dict(keys=Text(), values=Text(validate=one_of(Role)), load_default=dict)
    more_workspace = Id(load_default=None)
    more_role = Text(validate=one_of(Role), load_default=None)

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> dict[UUID | None, Role]:
        return _roles(data)


class UserForm(RolesForm):
    """A person to be; ``sign_in`` says how they are let in."""

    email = Text(load_default="")
    name = Text(load_default="")
    sign_in = Text(validate=one_of(("link", "provider")), load_default="link")

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {
            "email": data["email"],
            "name": data["name"].strip() or data["email"].strip(),
            "roles": _roles(data),
            "with_link": data["sign_in"] == "link",
        }


def roles_given() -> dict[str, object]:
    """Return the roles that the form gives, by place; a place without one is left out."""
    given = {
        name.removeprefix(_FIELD): text
        for name, text in request.form.items()
        if name.startswith(_FIELD) and text
    }
    return {"roles": given}


def _roles(data: dict[str, Any]) -> dict[UUID | None, Role]:
    roles = {_workspace_of(place): Role(role) for place, role in data["roles"].items()}
    more, role = data["more_workspace"], data["more_role"]
    if (more is None) != (role is None):
        raise SchemaError(_INCOMPLETE, "more_role" if role is None else "more_workspace")
    return roles if role is None else {**roles, more: Role(role)}


def _workspace_of(text: str) -> UUID | None:
    found = parse_id(text)
    if found is None and text != EVERYWHERE:
        raise SchemaError("There is no such workspace.", "roles")
    return found
