"""Wire schemas of use cases and opt-outs."""

from typing import Any

from marshmallow import ValidationError as SchemaError
from marshmallow import fields, validate, validates_schema

from app.use_cases.manage import NewSender, NewUseCase
from app.use_cases.opt_outs import NewOptOut, OptOutFilter, OptOutSource
from app.use_cases.read import UseCaseFilter
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
from app.web.pages import PageQuery, page_of

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


class SenderBody(StrictSchema):
    makes = NewSender
    number = Text(required=True)
    type = Choice(SenderType, required=True)

    @validates_schema(skip_on_field_errors=True)
    def _check_number(self, data: dict[str, Any], **_: Any) -> None:
        wrong = mistake_in_number(data["number"], data["type"])
        if wrong is not None:
            raise SchemaError(wrong, "number")


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
