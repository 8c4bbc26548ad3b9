"""The statements of a send and a callback: short enough that psycopg parses each only once."""

from psycopg import _queries

from app.db.statement import Statement
from app.destinations import refusals
from app.guards import alerts
from app.messages.delivery import apply_report
from app.messages.sending import admission, open_submission, record_outcome
from app.webhooks import outbox

LONGEST_TEXT, MOST_PARAMETERS = 4000, 50


def _statements() -> dict[str, Statement]:
    holders: dict[str, object] = {
        module.__name__: module
        for module in (
            apply_report,
            admission,
            alerts,
            open_submission,
            outbox,
            record_outcome,
            refusals,
        )
    }
    holders["usual"] = apply_report.USUAL_REPORT
    holders["with an id"] = apply_report.REPORT_WITH_ID
    holders["without an id"] = apply_report.REPORT_WITHOUT_ID
    return {
        f"{holder}: {name}": value
        for holder, found in holders.items()
        for name, value in vars(found).items()
        if isinstance(value, Statement)
    }


def test_our_bounds_are_within_those_of_psycopg() -> None:
    assert LONGEST_TEXT <= _queries.MAX_CACHED_STATEMENT_LENGTH
    assert MOST_PARAMETERS <= _queries.MAX_CACHED_STATEMENT_PARAMS


def test_every_hot_statement_is_short() -> None:
    """Break: repeat a column of the read twenty times."""
    found = _statements()
    assert len(found) > 15
    sizes = {name: (len(one.postgresql), one.postgresql.count("%(")) for name, one in found.items()}
    assert {
        name: size
        for name, size in sizes.items()
        if size[0] > LONGEST_TEXT or size[1] > MOST_PARAMETERS
    } == {}
