"""A month is a range of ids that lies beside the next one."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from app.kernel.ids import first_id_at
from app.messages.retention.partitions import month_of

FEBRUARY = datetime(2040, 2, 1, tzinfo=UTC)


def test_a_time_is_in_the_month_that_it_has_in_utc() -> None:
    in_tokyo = datetime(2040, 2, 1, 8, 59, tzinfo=timezone(timedelta(hours=9)))
    assert month_of(in_tokyo) == datetime(2040, 1, 1, tzinfo=UTC)
    assert month_of(FEBRUARY) == FEBRUARY


@pytest.mark.parametrize(
    ("months", "found"),
    [(0, "2039_11"), (1, "2039_12"), (2, "2040_01"), (14, "2041_01"), (-11, "2038_12")],
)
def test_months_go_on_over_the_years(months: int, found: str) -> None:
    november = datetime(2039, 11, 30, tzinfo=UTC)
    assert f"{month_of(november, months):%Y_%m}" == found


def test_a_months_first_id_is_above_all_ids_of_the_month_before() -> None:
    last_of_january = first_id_at(FEBRUARY - timedelta(milliseconds=1)).int | ((1 << 62) - 1)
    assert last_of_january < first_id_at(month_of(FEBRUARY)).int
