"""The commands that pages show are run, against a gateway and an emulator of this process.

`curl` and `borderpost` are carried out here, because starting them costs a second each. Every other
command stands in a table with the test that runs it, or the reason why none can.
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import click
import pytest
import structlog
import urllib3
from click.testing import CliRunner

from app.access.principal import Role
from app.cli import borderpost
from app.db.engine import Database
from support.factories import ACCOUNT, AUTH_TOKEN, SERVICE_SID, Factory
from support.live_gateway import LiveGateway, start_live_gateway_here
from test_docs import PAGES, ROOT

pytestmark = pytest.mark.one_engine
BLOCK = re.compile(r"^( *)```([^\n]*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)

# Pages that another test follows from end to end.
FOLLOWED = {
    "docs/api.md": "clients/test_samples.py",
    "docs/backup.md": "deploy/test_backup.py",
    "docs/production.md": "deploy/test_production.py",
}
# What begins so is not run here, and why.
ELSEWHERE = {
    "make run": "cli/test_demo.py",
    "make test": "CI",
    "make check": "CI",
    "make setup-dev": "CI",
    "make bench": "bench/test_bench.py",
    "make fmt": "changes the tree",
    ".venv/bin/python -m pytest": "CI",
    "pip install ./clients/python": "changes the environment",
    ".venv/bin/borderpost emulator": "cli/test_emulator_command.py",
    "BORDERPOST_TWILIO_URL=http://127.0.0.1:8010 .venv/bin/gunicorn": "faults/ tests start it",
    "BORDERPOST_DATABASE_URL=": "db/test_postgres.py",
    "borderpost destinations inherit": "cli/test_destinations_rules.py: needs a parent",
    'curl -H "$A" -X PUT $P/inheritance': "destinations/test_inheritance.py: needs a parent",
    "id=test-1": "webhooks/test_page.py",
    "key=$(printf": "webhooks/test_page.py",
    "signature=$(printf": "webhooks/test_page.py",
    "curl -sS -o /dev/null": "webhooks/test_page.py",
}
# What a page takes for granted.
GRANTED = {
    "docs/destinations.md": ["borderpost destinations allow MX", "borderpost destinations block MX"]
    * 4,
    "docs/emulator.md": ["borderpost destinations list"],
    "docs/guards.md": [f"borderpost guards set number --hour {hour}" for hour in (9, 8)],
}
FILES = {"policy.csv": "code,status\nUS,allowed\n"}
# Exit codes other than 0 that the page explains.
EXITS = {"borderpost destinations diff": {0, 2}, "borderpost geo": {0, 2}}
# The name under which a page goes on with what it made.
MADE = {"rules": "RULE_ID", "use-cases": "USE_CASE"}
PROGRAMS = re.compile(
    r"(?:[A-Z_]+=\S* )*(?:make|curl|docker|pip|git|(?:\.venv/bin/)?(?:borderpost|python|gunicorn)) |"
    r"\w+=['\"]?[$\w]"
)


@dataclass
class Reader:
    """A reader of one page, who types its commands one after the other."""

    live: LiveGateway
    folder: Path
    values: dict[str, str] = field(default_factory=dict)

    def type(self, command: str) -> str | None:
        """Run one command; return what is wrong with it."""
        for name, value in sorted(self.values.items(), key=lambda pair: -len(pair[0])):
            command = command.replace(f"${name}", value)
        words = shlex.split(command, comments=True)
        given = {}
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
            name, _, value = words.pop(0).partition("=")
            given[name] = value
        if not words:
            self.values |= given
            return None
        if words[0] == "curl":
            return self._ask(words[1:])
        return self._run(words[1:], given)

    def _run(self, words: list[str], given: dict[str, str]) -> str | None:
        *arguments, target = words if ">" in words else [*words, None]
        result = CliRunner(env=self.live.environ | given).invoke(
            borderpost, [str(one) for one in arguments if one != ">"]
        )
        if target is not None:
            (self.folder / str(target)).write_text(result.stdout, encoding="utf-8")
        named = [
            codes
            for name, codes in EXITS.items()
            if f"borderpost {' '.join(words)}".startswith(name)
        ]
        return None if result.exit_code in (named or [{0}])[0] else result.output

    def _ask(self, words: list[str]) -> str | None:
        method, headers, body, url = None, {}, None, ""
        rest = iter(words)
        for word in rest:
            match word:
                case "-s":
                    pass
                case "-X":
                    method = next(rest)
                case "-H":
                    name, _, value = next(rest).partition(": ")
                    headers[name] = value
                case "-d":
                    body = next(rest)
                case "--json":
                    body = next(rest)
                    headers["Content-Type"] = "application/json"
                case _:
                    assert not word.startswith("-"), f"say here what curl does with {word}"
                    url = word
        method = method or ("GET" if body is None else "POST")
        answer = urllib3.request(method, url, headers=headers, body=body, retries=False)
        if answer.status >= 300:
            return f"{answer.status} {answer.data.decode()}"
        if (name := MADE.get(url.rpartition("/")[2])) is not None and method == "POST":
            self.values[name] = answer.json()["id"]
        return None


def _commands(page: Path) -> Iterator[str]:
    """Yield each command of a page, continued lines joined; a file in TOML comes as its text."""
    for indent, language, block in BLOCK.findall(page.read_text(encoding="utf-8")):
        text = "\n".join(line.removeprefix(indent) for line in block.splitlines())
        if language == "toml":
            yield text
        elif not language or language.split()[0] in {"sh", "text"}:
            joined = re.sub(r"\\\n\s*", "", text)
            # A JSON body may go on in the next line.
            joined = re.sub(r",\n\s+(?=\")", ", ", joined)
            yield from (line for line in joined.splitlines() if PROGRAMS.match(line))


@pytest.fixture
def _no_log_lines() -> Iterator[None]:
    """Keep lines of the gateway's threads out of the output of a command, which goes into files."""
    before = structlog.get_config()["logger_factory"]
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    yield
    structlog.configure(logger_factory=before)


@pytest.fixture
def reader(
    database: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    _no_log_lines: None,
) -> Iterator[Reader]:
    """A reader with an installation, and the names and placeholders of the pages."""
    monkeypatch.chdir(tmp_path)
    with start_live_gateway_here(database, tmp_path) as live:
        tenant = live.tenant
        factory = Factory(database, live.cipher)
        owner = factory.keys(tenant.organization_id, None)[Role.OWNER]
        base = live.environ["BORDERPOST_PUBLIC_URL"]
        prices = BLOCK.search((ROOT / "docs" / "prices.md").read_text(encoding="utf-8"))
        assert prices is not None
        (tmp_path / "prices.csv").write_text(prices[3], encoding="utf-8")
        reader = Reader(
            live,
            tmp_path,
            {
                "BORDERPOST": base,
                "E": f"{live.twilio.url}/emulator",
                "WORKSPACE": str(tenant.workspace_id),
                "WORKSPACE_ID": str(tenant.workspace_id),
                "USE_CASE": str(tenant.use_case_id),
                "KEY": owner,
                "TOKEN": owner,
                "OWNER_KEY": owner,
                "ADMIN_KEY": tenant.keys[Role.ADMIN],
                "VIEWER_KEY": tenant.keys[Role.VIEWER],
            },
        )
        assert reader.type("borderpost prices import prices.csv") is None
        yield reader


def _page_id(page: Path) -> str:
    return str(page.relative_to(ROOT))


SHOWING = [
    page
    for page in PAGES
    if page.parent.name != "decisions" and any(PROGRAMS.match(one) for one in _commands(page))
]


@pytest.mark.parametrize("page", SHOWING, ids=_page_id)
def test_the_commands_of_a_page_work(page: Path, reader: Reader) -> None:
    """Break: misspell an option on a page."""
    if _page_id(page) in FOLLOWED:
        assert (ROOT / "tests" / FOLLOWED[_page_id(page)]).exists()
        return
    base = reader.values["BORDERPOST"]
    for name, text in FILES.items():
        (reader.folder / name).write_text(text, encoding="utf-8")
    for command in GRANTED.get(_page_id(page), []):
        assert reader.type(command) is None
    sid = reader.live.send("first").message_id and reader.live.created()[0].sid
    placeholders = {
        "/…": "/v1/webhook/twilio/sms-inbound",
        "SM…": sid,
        "https://sms.example.com": base,
        "http://127.0.0.1:8000": base,
        "0b9e7f6e-6f0e-4c53-8a43-1f7f1c1ad001": reader.values["USE_CASE"],
        "AC…": ACCOUNT,
        "MG…": SERVICE_SID,
        **{f"{kind}…": kind + "0" * 32 for kind in ("BN", "QE", "SK")},
        "…": AUTH_TOKEN,
    }
    wrong = {}
    for command in _commands(page):
        text = command
        for shown, ours in placeholders.items():
            text = text.replace(shown, ours)
        if not PROGRAMS.match(command):
            (reader.folder / "acme.toml").write_text(text, encoding="utf-8")
        elif not any(command.startswith(one) for one in ELSEWHERE):
            problem = reader.type(text)
            if problem is not None:
                wrong[command] = problem
    assert wrong == {}


def test_commands_named_in_sentences_exist_with_their_options() -> None:
    """Break: name an option that the command does not have."""
    wrong = []
    for page in PAGES:
        text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        for span in re.findall(r"`(?:\.venv/bin/)?(borderpost [a-z][^`]*)`", text):
            command: click.Command = borderpost
            words = re.findall(r"[\w-]+", span)[1:]
            while isinstance(command, click.Group) and words and words[0] in command.commands:
                command = command.commands[words.pop(0)]
            known = {option for one in command.params for option in one.opts} | {"--help"}
            options = set(re.findall(r"--[\w-]+", span))
            if command is borderpost or not options <= known:
                wrong.append((_page_id(page), span))
    assert wrong == []


def _leaves(command: click.Command, *path: str) -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        for name, one in command.commands.items():
            yield from _leaves(one, *path, name)
    else:
        yield " ".join(path), command


def test_the_page_of_commands_has_every_command_with_its_options() -> None:
    """Break: add an option to a command and not to its row."""
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    (change,) = re.findall(r"^\*change\* means .*$", page, re.MULTILINE)
    (both,) = re.findall(r"All `destinations` and `guards` commands take .*$", page, re.MULTILINE)
    missing = []
    for path, command in _leaves(borderpost):
        rows = re.findall(rf"^\| `{path}[ `].*$", page, re.MULTILINE)
        section = re.findall(rf"^## `{path}`$.*?^## ", page, re.MULTILINE | re.DOTALL)
        told = [*rows, *section, *[change for row in rows if "*change*" in row]]
        told += [both] if path.startswith(("destinations", "guards")) else []
        known = set(re.findall(r"--[\w-]+", " ".join(told)))
        options = {name for one in command.params for name in one.opts if name.startswith("--")}
        is_older_name = any(f"`{path} …`" in row for row in rows)
        if not rows or (options - known and not is_older_name):
            missing.append((path, sorted(options - known)))
    assert missing == []


def test_the_tests_that_stand_in_for_commands_exist() -> None:
    named = {
        *FOLLOWED.values(),
        *(re.split("[: ]", why)[0] for why in ELSEWHERE.values() if "/" in why),
    }
    assert {name for name in named if not (ROOT / "tests" / name).exists()} == set()


def test_every_exception_is_needed() -> None:
    """Break: take a command that stands in `ELSEWHERE` off its page."""
    shown = [command for page in SHOWING for command in _commands(page)]
    assert [one for one in ELSEWHERE if not any(text.startswith(one) for text in shown)] == []
