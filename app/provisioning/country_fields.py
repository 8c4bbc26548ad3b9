"""Fields of countries: one, a list, a restriction, and a country map."""

from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError, fields

from app.destinations.policy import Access
from app.kernel.countries import is_country
from app.provisioning.desired import ANY_DESTINATION

_ACCESS = f"Must be one of: {', '.join(Access)}."


class Country(fields.String):
    """A country code that a policy may name."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        code = super()._deserialize(value, *args, **kwargs)
        _check_country(code)
        return code


class Countries(fields.List[str]):
    """A list of country codes, without duplicates."""

    def __init__(self) -> None:
        super().__init__(Country())

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return super()._deserialize(value, *args, **kwargs)
        except ValidationError as problem:
            wrong = problem.messages
            if not isinstance(wrong, dict):
                raise
            # Those beside a wrong one keep their index, by which a later mistake is placed.
            kept = ["" if index in wrong else code for index, code in enumerate(value)]
            raise ValidationError(wrong, valid_data=kept) from problem


class Restriction(Countries):
    """A list of country codes, or the word that lifts the restriction."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        if value == ANY_DESTINATION:
            return value
        if isinstance(value, str):
            raise ValidationError(f'Must be a list of country codes, or "{ANY_DESTINATION}".')
        return super()._deserialize(value, *args, **kwargs)


class Destinations(fields.Field[dict[str, str]]):
    """A map from country codes to access."""

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> dict[str, str]:
        if not isinstance(value, Mapping):
            raise ValidationError("Must be a table of country codes.")
        wrong: dict[str, list[str]] = {}
        for code, access in value.items():
            try:
                _check_country(code)
            except ValidationError as problem:
                wrong.setdefault(code, []).extend(map(str, problem.messages))
            if access not in list(Access):
                wrong.setdefault(code, []).append(_ACCESS)
        right = {code: str(access) for code, access in value.items() if code not in wrong}
        if wrong:
            raise ValidationError(dict(wrong), valid_data=right)
        return right


def _check_country(code: str) -> None:
    if is_country(code):
        return
    if is_country(code.upper()):
        raise ValidationError(f"Country codes are in capitals: {code.upper()}.")
    raise ValidationError("Is not a country code: two capitals as in ISO 3166-1.")
