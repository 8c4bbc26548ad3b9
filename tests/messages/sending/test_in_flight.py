"""The places for sends that are at the provider: how they are shared between workspaces."""

from contextlib import ExitStack

import pytest

from app.messages.sending.send import InFlight, NoFreePlace


def _take(stack: ExitStack, in_flight: InFlight, workspace: str) -> bool:
    try:
        stack.enter_context(in_flight.place(workspace))
    except NoFreePlace:
        return False
    return True


@pytest.mark.parametrize(
    ("places", "share"),
    [(1, 1), (2, 1), (3, 1), (4, 2), (8, 6), (12, 10), (16, 14), (17, 14), (28, 24), (124, 108)],
)
def test_workspace_uses_all_places_but_the_last_eighth(places: int, share: int) -> None:
    """Break: in `app/messages/sending/send.py`, set `_share` to `places`."""
    in_flight = InFlight(places)
    with ExitStack() as stack:
        taken = sum(_take(stack, in_flight, "hanging") for _ in range(places + 5))
        assert taken == share
        assert not in_flight.has_place("hanging")
        others = [_take(stack, in_flight, f"other {i}") for i in range(places)]
        assert others == [True] * (places - share) + [False] * share


def test_several_workspaces_use_all_places_and_never_more() -> None:
    in_flight = InFlight(16)
    with ExitStack() as stack:
        taken = [_take(stack, in_flight, f"workspace {i % 3}") for i in range(40)]
        assert sum(taken) == 16
        assert not in_flight.has_place("another")
    assert in_flight.has_place("another")


def test_place_is_free_again_after_the_send_and_after_an_error() -> None:
    in_flight = InFlight(4)
    with ExitStack() as stack:
        assert _take(stack, in_flight, "a")
        assert _take(stack, in_flight, "a")
        with pytest.raises(NoFreePlace) as full:
            stack.enter_context(in_flight.place("a"))
        assert not full.value.is_over()
    assert full.value.is_over()
    with pytest.raises(RuntimeError):
        _fail_in(in_flight)
    assert [in_flight.has_place(name) for name in "ab"] == [True, True]


def _fail_in(in_flight: InFlight) -> None:
    with in_flight.place("a"), in_flight.place("a"):
        raise RuntimeError
