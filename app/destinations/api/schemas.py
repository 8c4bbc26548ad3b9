"""Wire schemas. Source: Bird, Destination management API, and its extensions here."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from marshmallow import ValidationError, fields, post_load, validate, validates_schema

from app.db.rows import AnyRow, PageFilter
from app.destinations.policy.evaluate import RULE_KINDS, Access, Rule, RuleKind
from app.destinations.policy.state import wrong_entries
from app.destinations.refusals import REFUSAL_CODES, RefusalFilter
from app.kernel.ids import new_id
from app.web.fields import (
    Choice,
    Country,
    FlatMap,
    Id,
    StrictSchema,
    Text,
    Time,
    Timestamp,
    TrueOrFalse,
    View,
    about,
    one_of,
)
from app.web.pages import PageQuery, page_of

MAX_NUMBERS = 1000
_MAX_REASON = 500
_COUNTRY = {"format": "iso3166-1"}  # as in Bird's API
_KIND, _VALUE, _ACTION = {"example": "prefix"}, {"example": "+23276"}, {"example": "blocked"}
_CODE = {"example": "DestinationBlocked"}
_COUNTRIES = {"example": ["US", "CA"]}
_MAP = {"example": {"US": "allowed", "BR": "blocked"}}


@dataclass(frozen=True, slots=True)
class WantedMap:
    destinations: dict[str, str]
    acknowledge_high_risk: list[str]


@dataclass(frozen=True, slots=True)
class WantedCountries:
    destinations: list[str]
    acknowledge_high_risk: list[str] = field(default_factory=list)
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class WantedRule:
    kind: RuleKind
    value: str
    action: Access
    reason: str | None
    expires_at: datetime | None
    acknowledge_high_risk: list[str]

    def rule(self, now: datetime) -> Rule:
        of_it = self.kind, self.value, self.action, self.expires_at, self.reason
        return Rule(new_id(), *of_it, created_at=now)


@dataclass(frozen=True, slots=True)
class WantedCheck:
    numbers: list[str]
    use_case_id: UUID | None


class DryRunQuery(StrictSchema):
    """Query of every change: ``dry_run=true`` only validates."""

    dry_run = fields.Boolean(
        load_default=False, metadata=about("Only tell what the change would do; change nothing")
    )

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> bool:
        return bool(data["dry_run"])


class CountriesBody(StrictSchema):
    """A body with countries; each invalid one is named."""

    def handle_error(self, error: ValidationError, data: Any, **_: Any) -> None:
        problems = error.messages_dict
        given = data.get("destinations") if isinstance(data, dict) else None
        entries = problems.setdefault("destinations", {})
        if isinstance(entries, dict):
            for key, messages in wrong_entries(given).items():
                entries[key] = [*entries.get(key, []), *messages]


class MapBody(CountriesBody):
    """Body of ``PUT``: the whole country map; absent countries are blocked."""

    makes: ClassVar[Callable[..., Any]] = WantedMap
    destinations = FlatMap(keys=Text(), values=Text(), required=True, metadata=_MAP)
    acknowledge_high_risk = fields.List(Country(), load_default=list)


class BlockBody(CountriesBody):
    makes = WantedCountries
    destinations = fields.List(Text(metadata=_COUNTRY), required=True, metadata=_COUNTRIES)


class AllowBody(BlockBody):
    """``until`` makes it a temporary allowance."""

    until = Timestamp(load_default=None, allow_none=True)
    acknowledge_high_risk = fields.List(Country(), load_default=list)


class RuleBody(StrictSchema):
    makes = WantedRule
    kind = Choice(RuleKind, RULE_KINDS, required=True, metadata=_KIND)
    value = Text(required=True, metadata=_VALUE)
    action = Choice(Access, required=True, metadata=_ACTION)
    reason = Text(load_default=None, allow_none=True, validate=validate.Length(max=_MAX_REASON))
    expires_at = Timestamp(load_default=None, allow_none=True)
    acknowledge_high_risk = fields.List(Country(), load_default=list)

    @validates_schema(skip_on_field_errors=True)
    def _check_value(self, data: dict[str, Any], **_: Any) -> None:
        problem = RULE_KINDS[data["kind"]].problem_of(data["value"])
        if problem is not None:
            raise ValidationError({"value": [problem]})


class InheritanceBody(StrictSchema):
    inherit = TrueOrFalse(required=True)


class CheckBody(StrictSchema):
    makes = WantedCheck
    numbers = fields.List(
        Text(validate=validate.Length(max=64)),
        required=True,
        validate=validate.Length(min=1, max=MAX_NUMBERS),
        metadata={"example": ["+12025550123", "+442079460123"]},
    )
    use_case_id = Id(load_default=None, allow_none=True)


class RefusalQuery(PageQuery):
    makes = RefusalFilter
    country = Country()
    code = Text(validate=one_of(REFUSAL_CODES))
    use_case_id = Id()
    after = Timestamp()
    before = Timestamp()


@dataclass(frozen=True, slots=True)
class HistoryFilter(PageFilter):
    format: str = "json"


class HistoryQuery(PageQuery):
    makes = HistoryFilter
    format = fields.String(load_default="json", validate=one_of(("json", "csv")))


class DestinationManagement(View):
    """The destination configuration of a workspace and capability."""

    organizationId = fields.UUID(attribute="organization_id")  # noqa: N815
    workspaceId = fields.UUID(attribute="workspace_id")  # noqa: N815
    capabilityName = fields.String()  # noqa: N815
    destinations = fields.Dict(keys=fields.String(), values=fields.String(), metadata=_MAP)
    createdAt = Time(attribute="created_at")  # noqa: N815
    updatedAt = Time(attribute="updated_at")  # noqa: N815


class DestinationManagementBlockResponse(View):
    """The configuration after a block, and hints."""

    message = fields.String(metadata={"example": "Destinations have been blocked."})
    configuration = fields.Nested(DestinationManagement)


class RuleView(View):
    """A rule for a country, a prefix or a number."""

    id = fields.UUID(attribute="rule_id")
    kind = fields.String(validate=one_of(RULE_KINDS), metadata=_KIND)
    value = fields.String(metadata=_VALUE)
    action = fields.String(validate=one_of(Access), metadata=_ACTION)
    reason = fields.String(allow_none=True)
    expires_at = Time(allow_none=True)
    created_at = Time(allow_none=True)


RulePage = page_of(RuleView, "The rules of a policy, oldest first.")


class InheritanceView(View):
    """Whether a workspace inherits, and which workspace owns its policy."""

    inherit = fields.Boolean(attribute="inherits")
    parent_workspace_id = fields.UUID(attribute="parent_id", allow_none=True)
    owner_workspace_id = fields.UUID(attribute="owner_id")


class ActorView(View):
    kind = fields.String(metadata={"example": "access_key"})
    id = fields.UUID(allow_none=True)
    name = fields.String(metadata={"example": "backend"})


class CountryChangeView(View):
    """The change of one country; null if the policy does not name it."""

    country = fields.String()
    before = fields.String(
        attribute="from", data_key="from", allow_none=True, metadata={"example": "blocked"}
    )
    after = fields.String(
        attribute="to", data_key="to", allow_none=True, metadata={"example": "allowed"}
    )


class RuleChangesView(View):
    """The rules that a change added and removed; a replaced rule is in both."""

    added = fields.List(fields.Nested(RuleView))
    removed = fields.List(fields.Nested(RuleView))


class RevisionView(View):
    """One change of a policy, with the policy after it."""

    revision = fields.Integer()
    from_revision = fields.Integer(allow_none=True)
    restored_revision = fields.Integer(
        allow_none=True, metadata=about("The revision that this one restored")
    )
    at = Time()
    actor = fields.Nested(ActorView)
    action = fields.String(metadata={"example": "allowed"})
    reason = fields.String(allow_none=True)
    changes = fields.List(fields.Nested(CountryChangeView))
    rule_changes = fields.Nested(RuleChangesView)
    inherit = fields.Boolean(attribute="inherits")
    destinations = fields.Dict(keys=fields.String(), values=fields.String(), metadata=_MAP)
    rules = fields.List(fields.Nested(RuleView))


RevisionPage = page_of(RevisionView, "The history of a policy, newest first.")


class VerdictView(View):
    """The answer for one number."""

    number = fields.String(metadata=about("As it was asked"))
    canonical = fields.String(
        allow_none=True, metadata=about("Its canonical E.164 form", example="+12025550123")
    )
    allowed = fields.Boolean()
    code = fields.String(allow_none=True)
    country = fields.String(allow_none=True)
    rule = fields.String(allow_none=True)
    scope = fields.String(allow_none=True)
    source = fields.String(allow_none=True)
    revision = fields.Integer()
    provider_closed = fields.Boolean(allow_none=True)


class VerdictList(View):
    """The answers in the order of the request."""

    verdicts = fields.List(fields.Nested(VerdictView))


class RefusalView(View):
    id = fields.UUID()
    at = Time()
    number = fields.String(metadata=about("Masked.", example="+55*********67"))
    country = fields.String(allow_none=True)
    code = fields.String(metadata=_CODE)
    source = fields.String(allow_none=True)
    rule = fields.String(allow_none=True)
    scope = fields.String(allow_none=True)
    revision = fields.Integer(allow_none=True)
    provider_code = fields.Integer(allow_none=True)
    use_case_id = fields.UUID(allow_none=True)


def render_refusal(row: AnyRow) -> dict[str, Any]:
    return RefusalView.write(row, number=row.masked_number)


class RefusalCountView(View):
    """The number of refused sends on one day (UTC)."""

    day = fields.Date()
    country = fields.String(allow_none=True)
    code = fields.String(metadata=_CODE)
    refusals = fields.Integer()
    unlisted = fields.Integer()


class RefusalPage(View):
    """Refusals, newest first, and the counts of the last 30 days."""

    items = fields.List(fields.Nested(RefusalView))
    next_page_token = fields.String(allow_none=True)
    counts = fields.List(fields.Nested(RefusalCountView))
