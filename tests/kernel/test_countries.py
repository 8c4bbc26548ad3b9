"""The codes that a destination policy may name, and their names for people."""

import subprocess
import sys

from phonenumbers import SUPPORTED_REGIONS, country_code_for_region

from app.kernel.countries import BESIDE_ISO, COUNTRIES, ISO_CODES, country_name, is_country
from app.kernel.phone import CALLING_CODES
from support.each import each


def test_there_are_249_codes_of_iso_3166_and_three_others() -> None:
    assert len(ISO_CODES) == 249
    assert sorted(BESIDE_ISO) == ["AC", "TA", "XK"]
    assert not ISO_CODES & BESIDE_ISO
    assert COUNTRIES == ISO_CODES | BESIDE_ISO


@each("code", ["XK", "AC", "TA", "US", "AX", "SS", "CW", "BQ", "SX"])
def test_a_policy_may_name_it(code: str) -> None:
    assert is_country(code)


@each(
    "code",
    ["us", "Us", "USA", "", "U", "UK", "EU", "AN", "YU", "ZZ", "001", "CS", "U\u0405", "US "],
)
def test_a_policy_may_not_name_it(code: str) -> None:
    assert not is_country(code)


def test_every_region_of_a_number_can_be_named_by_a_policy() -> None:
    assert SUPPORTED_REGIONS <= COUNTRIES


@each("language", ["en", "de", "fr", "pt", "ja", "ar"])
def test_every_code_has_a_name_of_its_own_in_every_language(language: str) -> None:
    names = {code: country_name(code, language) for code in COUNTRIES}
    assert [code for code, name in names.items() if not name.strip() or name == code] == []
    assert len(set(names.values())) == len(names)


def test_other_codes_have_their_usual_names() -> None:
    assert [country_name(code) for code in ("XK", "AC", "TA")] == [
        "Kosovo",
        "Ascension Island",
        "Tristan da Cunha",
    ]


def test_an_unknown_code_is_its_own_name() -> None:
    assert country_name("ZQ") == "ZQ"


def test_every_region_has_the_calling_code_of_its_numbers() -> None:
    codes = {region: country_code_for_region(region) for region in SUPPORTED_REGIONS}
    assert {region: CALLING_CODES[region] for region in codes} == codes


def test_a_comparison_of_all_countries_loads_the_data_of_no_region() -> None:
    """A web process compares them at its start, and would keep 10 MiB of patterns."""
    program = """if True:
        import sys
        from app.console.destinations.view import country_options
        from app.destinations.geo_permissions.permissions import at_large
        from app.kernel.countries import COUNTRIES
        assert len([at_large(code) for code in COUNTRIES]) == len(country_options())
        print([name for name in sys.modules if name.startswith("phonenumbers.data.region_")])
    """
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
