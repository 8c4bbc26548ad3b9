"""Numbers and ids of every command have one form."""

from collections.abc import Iterator

import click
import pytest

from app.cli import borderpost
from app.cli.group import IdParam, WholeNumberParam
from cli.conftest import Run

NOT_NUMBERS = ("1_0", "\u0661\u0660", "\uff11", "+5", " 5", "5 ", "1e3", "0x10", "5.0", "9" * 5000)
NOT_IDS = (
    "0b9e7f6e6f0e4c538a431f7f1c1ad001",
    "{0b9e7f6e-6f0e-4c53-8a43-1f7f1c1ad001}",
    "urn:uuid:0b9e7f6e-6f0e-4c53-8a43-1f7f1c1ad001",
    " 0b9e7f6e-6f0e-4c53-8a43-1f7f1c1ad001",
)


def parameters(command: click.Command, path: str = "") -> Iterator[tuple[str, click.Parameter]]:
    """Every parameter of a command and of the commands below it."""
    for parameter in command.params:
        yield f"{path} {parameter.name}", parameter
    if isinstance(command, click.Group):
        for name, below in command.commands.items():
            yield from parameters(below, f"{path} {name}")


def test_every_number_and_id_of_a_command_has_its_one_form() -> None:
    """Breaks when click reads one by itself: make `--limit` a `click.IntRange`."""
    of_click = (
        type(click.INT),
        type(click.FLOAT),
        type(click.UUID),
        click.IntRange,
        click.FloatRange,
    )
    kinds = {path: parameter.type for path, parameter in parameters(borderpost)}
    plain = {
        path
        for path, kind in kinds.items()
        if isinstance(kind, of_click) and not isinstance(kind, WholeNumberParam)
    }
    assert plain == set()
    assert sum(isinstance(kind, WholeNumberParam) for kind in kinds.values()) > 4
    wrong = [(WholeNumberParam(0), text) for text in NOT_NUMBERS] + [
        (IdParam(), text) for text in NOT_IDS
    ]
    for kind, text in wrong:
        with pytest.raises(click.BadParameter):
            kind.convert(text, None, None)
    assert WholeNumberParam(0, 9).convert("007", None, None) == 7


def test_a_wrong_number_is_wrong_usage_and_named(run: Run) -> None:
    for text in NOT_NUMBERS:
        done = run("destinations", "history", "--limit", text)
        assert (done.exit_code, "--limit" in done.stderr) == (64, True), text
