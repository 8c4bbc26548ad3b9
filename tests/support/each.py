"""One test for a whole enumeration: it names every value for which it fails."""

import functools
import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest

Test = Callable[..., None]


def each(
    names: str | Sequence[str],
    values: Iterable[Any],
    *,
    ids: Callable[[Any], str] | Iterable[str] | None = None,
) -> Callable[[Test], Test]:
    """Run a test for each value, as `pytest.mark.parametrize` does, but inside one test.

    The values share the fixtures, so this is for tests that leave nothing behind.
    """
    wanted = [name.strip() for name in (names.split(",") if isinstance(names, str) else names)]
    rows = [value if len(wanted) > 1 else (value,) for value in values]
    named = _named(rows, ids)

    def decorate(test: Test) -> Test:
        signature = inspect.signature(test)

        @functools.wraps(test)
        def run_for_each(**fixtures: Any) -> None:
            failed: list[str] = []
            first: BaseException | None = None
            for name, row in zip(named, rows, strict=True):
                try:
                    test(**fixtures, **dict(zip(wanted, row, strict=True)))
                except (Exception, pytest.fail.Exception) as problem:  # noqa: BLE001
                    first = first or problem
                    failed.append(f"{name}: {problem or type(problem).__name__}")
            assert rows, "there is nothing to try"
            if first is not None:
                all_failed = "\n".join(failed)
                raise AssertionError(f"{len(failed)} of {len(rows)} fail:\n{all_failed}") from first

        left = [p for name, p in signature.parameters.items() if name not in wanted]
        run_for_each.__signature__ = signature.replace(parameters=left)  # type: ignore[attr-defined]
        return run_for_each

    return decorate


def _named(
    rows: list[Sequence[Any]], ids: Callable[[Any], str] | Iterable[str] | None
) -> list[str]:
    if ids is not None and not callable(ids):
        return [str(name) for name in ids]
    name_of = ids or repr
    return [", ".join(str(name_of(value)) for value in row) for row in rows]
