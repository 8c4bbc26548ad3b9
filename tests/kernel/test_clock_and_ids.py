"""Times as they are written and read, and identifiers that sort by their time."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from freezegun import freeze_time
from hypothesis import example, given, strategies as st

from app.kernel.clock import Clock, parse_rfc3339, rfc3339, to_milliseconds, utc_now
from app.kernel.ids import first_id_at, new_id, parse_id
from support.each import each

AT = datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)
ANY_TIME = st.datetimes(timezones=st.just(UTC))


@freeze_time("2026-01-31T12:00:00.123999Z")
def test_clock_returns_utc_in_milliseconds() -> None:
    assert utc_now() == datetime(2026, 1, 31, 12, 0, 0, 123000, tzinfo=UTC)
    assert Clock().now() == utc_now()


@each(
    ("at", "text"),
    [
        (AT, "2026-01-31T12:00:00.123Z"),
        (datetime(2026, 1, 31, tzinfo=UTC), "2026-01-31T00:00:00.000Z"),
        (
            datetime(2026, 1, 31, 1, tzinfo=timezone(timedelta(hours=5, minutes=30))),
            "2026-01-30T19:30:00.000Z",
        ),
        (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00.000Z"),
    ],
)
def test_times_are_written_in_utc_with_z(at: datetime, text: str) -> None:
    assert rfc3339(at) == text


@given(ANY_TIME)
def test_formatted_time_is_parsed_back(at: datetime) -> None:
    assert parse_rfc3339(rfc3339(at)) == to_milliseconds(at)


@each(
    ("text", "at"),
    [
        ("2026-01-31T12:00:00Z", AT.replace(microsecond=0)),
        ("2026-01-31t12:00:00z", AT.replace(microsecond=0)),
        ("2026-01-31T14:00:00.5+02:00", AT.replace(microsecond=500000)),
        ("2026-01-31T12:00:00.123456789Z", AT.replace(microsecond=123000)),
        ("2026-01-31T12:00:00-00:00", AT.replace(microsecond=0)),
    ],
)
def test_times_with_any_offset_are_read(text: str, at: datetime) -> None:
    assert parse_rfc3339(text) == at


@each(
    "text",
    [
        *("", "now", "2026-01-31", "2026-01-31T12:00:00", "2026-01-31T12:00Z"),
        *("2026-02-30T12:00:00Z", "2026-01-31T24:00:01Z", "2026-01-31T12:00:00+25:00"),
        *("2026-W05-6T12:00:00Z", "20260131T120000Z", "2026-01-31T12:00:00 Z"),
        *("0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00"),
        *("\u0662\u0660\u0662\u0666-01-31T12:00:00Z", "1767225600"),
    ],
)
def test_text_that_is_not_rfc_3339_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):
        parse_rfc3339(text)


def test_ids_are_uuids_of_version_7_and_each_is_larger_than_the_one_before() -> None:
    minted = [new_id() for _ in range(5000)]
    assert {found.version for found in minted} == {7}
    assert {found.variant for found in minted} == {"specified in RFC 4122"}
    assert all(type(found) is UUID for found in minted)
    assert minted == sorted(minted)
    assert [found.hex for found in minted] == sorted(found.hex for found in minted)
    assert len(set(minted)) == len(minted)


def test_a_clock_that_was_ahead_for_an_instant_leaves_no_id_in_the_future() -> None:
    """Break: in `_Mint`, count on however far the clock went back."""
    for ahead in (timedelta(seconds=1.5), timedelta(hours=1), timedelta(days=40)):
        began = datetime.now(UTC)
        with freeze_time(began + ahead):
            assert new_id() >= first_id_at(utc_now())
        with freeze_time(began):  # however busy the machine is
            found = new_id()
        assert first_id_at(began - timedelta(seconds=5)) < found
        assert found < first_id_at(began + timedelta(milliseconds=1))


def test_ids_increase_while_the_clock_stops_or_is_set_back_a_little() -> None:
    """Break: in `_Mint`, count on only within the same millisecond."""
    with freeze_time("2026-01-31T12:00:00.5Z") as frozen:
        minted = [new_id() for _ in range(5000)]
        frozen.tick(timedelta(milliseconds=-400))
        minted += [new_id() for _ in range(100)]
    assert minted == sorted(set(minted))
    assert minted[-1] < first_id_at(datetime(2026, 1, 31, 12, 0, 1, tzinfo=UTC))


def test_threads_mint_no_id_twice() -> None:
    """Break: take the lock away from `_Mint`, and let its counter end a little later."""
    with freeze_time("2026-01-31T12:00:00Z"), ThreadPoolExecutor(8) as pool:
        minted = list(pool.map(lambda _: new_id(), range(20_000)))
    assert len({found.int >> 48 for found in minted}) == len(minted)


FORKS = """
import os
from app.kernel.ids import new_id
new_id()
for _ in range(2):
    if os.fork() == 0:
        print(new_id().hex, flush=True)
        os._exit(0)
    os.wait()
print(new_id().hex)
"""


def test_processes_that_were_forked_mint_other_random_bits() -> None:
    """Break: draw the random bits of `_Mint` from a generator that a fork copies."""
    done = subprocess.run([sys.executable, "-c", FORKS], capture_output=True, text=True, check=True)
    assert len({line[-12:] for line in done.stdout.split()}) == 3


def test_the_first_id_of_a_millisecond_lies_between_the_ids_before_and_after_it() -> None:
    before = to_milliseconds(datetime.now(UTC))
    minted = new_id()
    after = to_milliseconds(datetime.now(UTC))
    assert first_id_at(before) <= minted
    assert minted < first_id_at(after + timedelta(milliseconds=1))


@given(st.integers(min_value=0, max_value=2**47 - 1))
@example(17179869183)  # no float holds this many milliseconds as seconds
def test_the_first_id_of_a_millisecond_is_the_smallest_uuid_7_of_it(milliseconds: int) -> None:
    found = first_id_at(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds))
    assert found.version == 7
    assert found.variant == "specified in RFC 4122"
    assert found.int >> 80 == milliseconds
    assert found.int & ((1 << 76) - 1) == 0b10 << 62


@each("text", ["0190b6a4-7c1e-7f00-8000-000000000000", "0190B6A4-7C1E-7F00-8000-00000000000F"])
def test_id_is_parsed_in_upper_and_lower_case(text: str) -> None:
    assert parse_id(text) == UUID(text)


@each(
    "text",
    [
        *("", "1", "0190b6a47c1e7f008000000000000000", "{0190b6a4-7c1e-7f00-8000-000000000000}"),
        "urn:uuid:0190b6a4-7c1e-7f00-8000-000000000000",
        *("0190b6a4-7c1e-7f00-8000-00000000000g", "0190b6a4-7c1e-7f00-8000-000000000000 "),
        "\u0660190b6a4-7c1e-7f00-8000-000000000000",
    ],
)
def test_no_other_form_of_an_id_is_read(text: str) -> None:
    assert parse_id(text) is None
