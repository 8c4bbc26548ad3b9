"""Which territories are separate destinations, and which codes no number can match."""

import phonenumbers

from app.kernel.countries import COUNTRIES, SEPARATE, has_numbers, hints_for


def test_allowing_a_state_names_its_separate_territories() -> None:
    assert hints_for(["US", "GB", "BR"]) == {
        "US": ("PR", "GU", "VI", "AS", "MP"),
        "GB": ("GG", "JE", "IM"),
    }
    assert set(hints_for(["FR", "NL", "DK", "NO", "FI", "AU", "NZ"])) == {
        *("FR", "NL", "DK", "NO", "FI", "AU", "NZ")
    }


def test_territories_allowed_together_have_no_hint() -> None:
    assert hints_for(["FI", "AX"]) == {}
    assert hints_for(iter(["GB", "GB", "JE"])) == {"GB": ("GG", "IM")}
    assert hints_for([]) == {}


def test_every_separate_code_is_a_country_of_its_own_that_numbers_belong_to() -> None:
    named = [code for codes in SEPARATE.values() for code in codes]

    assert len(named) == len(set(named))
    assert set(named) | set(SEPARATE) <= COUNTRIES
    assert all(has_numbers(code) for code in named)
    examples = {code: phonenumbers.example_number(code) for code in named}
    strayed = {c: phonenumbers.region_code_for_number(examples[c]) for c in named}
    # libphonenumber cannot tell the numbers of Saint Martin from its neighbours'.
    assert {c: region for c, region in strayed.items() if region != c} == {"MF": "BL"}


def test_the_countries_without_numbers_are_those_without_an_example_number() -> None:
    without = {code for code in COUNTRIES if not has_numbers(code)}

    assert without == {"AQ", "BV", "GS", "HM", "PN", "TF", "UM"}
    assert without == {code for code in COUNTRIES if phonenumbers.example_number(code) is None}
