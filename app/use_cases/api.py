"""Routes and wire schemas of use cases, of their sender pools and of the opt-out list."""

from typing import Any
from uuid import UUID

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from app.access.guard import ADMIN, VIEWER, changing
from app.access.principal import Principal, shown_number
from app.db.rows import AnyRow, PageFilter
from app.kernel import errors as e
from app.use_cases import manage
from app.use_cases.manage import NewSender, NewUseCase
from app.use_cases.opt_outs import (
    NewOptOut,
    OptOutFilter,
    OptOutSource,
    enter_opt_out,
    lift_opt_out,
    load_opt_outs,
)
from app.use_cases.read import StoredUseCase, UseCaseFilter, load_use_cases
from app.use_cases.rules import (
    BRAND_STATUSES,
    OnUnconfirmed,
    Registration,
    SenderType,
    mistake_in_number,
)
from app.web.fields import (
    Choice,
    Country,
    Id,
    Name,
    PhoneNumberField,
    StrictSchema,
    Text,
    Time,
    TrueOrFalse,
    View,
    one_of,
    sid,
    status,
)
from app.web.pages import PageQuery, page, page_of
from app.web.registry import reading
from app.web.routes import Json, Routes

_MAX_COUNTRIES = 300


class UseCaseListQuery(PageQuery):
    makes = UseCaseFilter
    workspace_id = Id()
    active = fields.Boolean()


class SenderView(View):
    """A sender of the pool."""

    id = fields.UUID()
    number = fields.String(metadata={"example": "+12025550100"})
    type = fields.String(validate=one_of(SenderType))
    country = fields.String(allow_none=True)


class RegistrationView(View):
    """A brand or campaign as last read, with the provider's status."""

    sid = fields.String(metadata={"example": "BN" + "0" * 32})
    status = fields.String(allow_none=True, metadata={"example": "APPROVED"})


class UseCaseView(View):
    """A use case with its senders and registrations."""

    id = fields.UUID()
    workspace_id = fields.UUID()
    name = fields.String(metadata={"example": "one-time passwords"})
    messaging_service_sid = fields.String()
    active = fields.Boolean()
    allowed_destinations = fields.List(fields.String(), allow_none=True, metadata={"example": None})
    on_unconfirmed = fields.String(
        validate=one_of(OnUnconfirmed), metadata={"example": OnUnconfirmed.WAIT.value}
    )
    senders = fields.List(fields.Nested(SenderView))
    brand = fields.Nested(RegistrationView, allow_none=True)
    campaign = fields.Nested(RegistrationView, allow_none=True)
    created_at = Time()
    updated_at = Time()


class BrandBody(StrictSchema):
    """Without a status, the stored one of the same SID stays."""

    makes = Registration
    sid = sid("BN")
    status = status(BRAND_STATUSES)


class CampaignBody(BrandBody):
    """Without a status, the stored one of the same SID stays."""

    sid = sid("(QE|CM)")
    status = status()


class UseCaseChange(StrictSchema):
    """Body of ``PATCH /v1/use-cases/{use_case_id}``; omitted fields stay."""

    name = Name()
    messaging_service_sid = sid("MG", required=False)
    active = TrueOrFalse()
    allowed_destinations = fields.List(
        Country(), allow_none=True, validate=validate.Length(max=_MAX_COUNTRIES)
    )
    brand = fields.Nested(BrandBody, allow_none=True)
    campaign = fields.Nested(CampaignBody, allow_none=True)
    on_unconfirmed = fields.String(
        validate=one_of(OnUnconfirmed), metadata={"example": OnUnconfirmed.WAIT.value}
    )


class UseCaseBody(UseCaseChange):
    makes = NewUseCase
    name = Name(required=True)
    messaging_service_sid = sid("MG")
    workspace_id = Id(load_default=None, allow_none=True)


class CheckedSender(Schema):
    @validates_schema(skip_on_field_errors=True)
    def _check_number(self, data: dict[str, Any], **_: Any) -> None:
        wrong = mistake_in_number(data["number"], data["type"])
        if wrong is not None:
            raise ValidationError(wrong, "number")


class SenderBody(StrictSchema, CheckedSender):
    makes = NewSender
    number = Text(required=True)
    type = Choice(SenderType, required=True)


SenderPage = page_of(SenderView, "A page of a sender pool, oldest first.")

UseCasePage = page_of(UseCaseView, "A page of use cases, oldest first.")


class OptOutBody(StrictSchema):
    """Body of ``POST /v1/opt-outs``; without a use case it applies to the whole workspace."""

    makes = NewOptOut
    to_number = PhoneNumberField(required=True)
    use_case_id = Id(load_default=None, allow_none=True)
    workspace_id = Id(load_default=None, allow_none=True)
    source = Text(load_default=OptOutSource.API.value, validate=validate.Length(min=1, max=40))


class OptOutListQuery(PageQuery):
    makes = OptOutFilter
    workspace_id = Id()
    use_case_id = Id()
    to_number = PhoneNumberField()


class OptOutView(View):
    """An opt-out."""

    id = fields.UUID()
    workspace_id = fields.UUID()
    use_case_id = fields.UUID(allow_none=True)
    to_number = fields.String()
    source = fields.String(metadata={"example": "api"})
    created_at = Time()


OptOutPage = page_of(OptOutView, "A page of opt-outs, newest first.")

routes = Routes("Use cases")
PATH = "/v1/use-cases"
ONE = PATH + "/{use_case_id}"
_ABSENT = (e.UseCaseNotFound,)


@routes.add("GET", PATH, VIEWER, {200: UseCasePage}, query=UseCaseListQuery)
def list_use_cases(principal: Principal, query: UseCaseFilter) -> Json:
    """List use cases, oldest first."""
    with reading() as connection:
        found = load_use_cases(connection, principal, query)
    return page(found, query.limit, render_use_case)


@routes.add("GET", ONE, VIEWER, {200: UseCaseView}, errors=_ABSENT)
def get_use_case(principal: Principal, use_case_id: UUID) -> Json:
    """Show one use case."""
    with reading() as connection:
        return render_use_case(manage.require_use_case(connection, principal, use_case_id))


@routes.add("POST", PATH, ADMIN, {201: UseCaseView}, body=UseCaseBody)
def post_use_case(principal: Principal, body: NewUseCase) -> Json:
    """Create a use case with an empty sender pool."""
    with changing(principal) as change:
        made = manage.create_use_case(change, body)
    return render_use_case(made)


@routes.add("PATCH", ONE, ADMIN, {200: UseCaseView}, body=UseCaseChange, errors=_ABSENT)
def patch_use_case(principal: Principal, use_case_id: UUID, body: dict[str, Any]) -> Json:
    """Change a use case; omitted fields stay."""
    with changing(principal) as change:
        found = manage.change_use_case(change, use_case_id, body)
    return render_use_case(found)


@routes.add("DELETE", ONE, ADMIN, {204: None}, errors=_ABSENT)
def remove_use_case(principal: Principal, use_case_id: UUID) -> None:
    """Delete a use case; its messages stay."""
    with changing(principal) as change:
        manage.delete_use_case(change, use_case_id)


def render_use_case(record: StoredUseCase) -> dict[str, Any]:
    found = {kind: manage.stored_registration(record.row, kind) for kind in manage.REGISTRATIONS}
    return UseCaseView.write(record.row, senders=record.senders, **found)


SENDERS = ONE + "/senders"


@routes.add("GET", SENDERS, VIEWER, {200: SenderPage}, query=PageQuery, errors=_ABSENT)
def list_senders(principal: Principal, use_case_id: UUID, query: PageFilter) -> Json:
    """List the sender pool of a use case, oldest first."""
    with reading() as connection:
        found = manage.load_senders(connection, principal, use_case_id, query)
    return page(found, query.limit, SenderView.write)


@routes.add("POST", SENDERS, ADMIN, {201: SenderView}, body=SenderBody, errors=_ABSENT)
def post_sender(principal: Principal, use_case_id: UUID, body: NewSender) -> Json:
    """Add a sender to the pool of a use case."""
    with changing(principal) as change:
        row = manage.add_sender(change, use_case_id, body)
    return SenderView.write(row)


@routes.add(
    "DELETE", SENDERS + "/{sender_id}", ADMIN, {204: None}, errors=(e.UseCaseNotFound, e.NotFound)
)
def delete_sender(principal: Principal, use_case_id: UUID, sender_id: UUID) -> None:
    """Remove a sender from the pool of a use case."""
    with changing(principal) as change:
        manage.remove_sender(change, use_case_id, sender_id)


opt_out_routes = Routes("Opt-outs")


@opt_out_routes.add("GET", "/v1/opt-outs", VIEWER, {200: OptOutPage}, query=OptOutListQuery)
def list_opt_outs(principal: Principal, query: OptOutFilter) -> Json:
    """List opt-outs, newest first."""
    with reading() as connection:
        found = load_opt_outs(connection, principal, query)
    return page(found, query.limit, lambda row: render_opt_out(row, principal))


@opt_out_routes.add("POST", "/v1/opt-outs", ADMIN, {201: OptOutView}, body=OptOutBody)
def create_opt_out(principal: Principal, body: NewOptOut) -> Json:
    """Add a number to the opt-out list; an existing entry is kept once."""
    with changing(principal) as change:
        row = enter_opt_out(change, body)
    return render_opt_out(row, principal)


@opt_out_routes.add("DELETE", "/v1/opt-outs/{opt_out_id}", ADMIN, {204: None}, errors=(e.NotFound,))
def delete_opt_out(principal: Principal, opt_out_id: UUID) -> None:
    """Remove a number from the opt-out list."""
    with changing(principal) as change:
        lift_opt_out(change, opt_out_id)


def render_opt_out(row: AnyRow, principal: Principal) -> dict[str, Any]:
    return OptOutView.write(row, to_number=shown_number(principal.role, row.to_number))
