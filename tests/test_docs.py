"""The pages: links lead somewhere, the index names each page, and named tests exist."""

import re
import tomllib
from pathlib import Path

from app.console.access.audit import ACTION_LABELS
from app.kernel import errors

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    ROOT / "clients" / "python" / "README.md",
    *sorted(DOCS.rglob("*.md")),
]


def _without_code(text: str) -> str:
    return re.sub(r"```.*?```", "", text, flags=re.DOTALL)


def _anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(
        r"^#+ (.+)$", _without_code(page.read_text(encoding="utf-8")), re.MULTILINE
    )
    plain = (re.sub(r"\[([^]]*)\]\([^)]*\)|`", r"\1", heading).lower() for heading in headings)
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in plain}


def test_every_link_leads_somewhere() -> None:
    broken = []
    for page in PAGES:
        for link in re.findall(r"\]\(([^)\s]+)\)", _without_code(page.read_text(encoding="utf-8"))):
            if "://" in link or link.startswith("mailto:"):
                continue
            path, _, anchor = link.partition("#")
            target = (page.parent / path).resolve() if path else page
            is_page = target.suffix == ".md"
            if not target.exists() or (anchor and is_page and anchor not in _anchors(target)):
                broken.append((str(page.relative_to(ROOT)), link))
    assert broken == []


def test_the_index_names_every_page() -> None:
    named = set(
        re.findall(r"^\| \[([\w-]+\.md)\]", (DOCS / "README.md").read_text("utf-8"), re.MULTILINE)
    )
    assert named == {page.name for page in DOCS.glob("*.md")} - {"README.md"}


def test_the_tests_that_pages_name_exist() -> None:
    named = {
        (page.name, path)
        for page in PAGES
        for path in re.findall(
            r"`((?:\w+/)*test_\w+\.py)`", _without_code(page.read_text(encoding="utf-8"))
        )
    }
    tests = ROOT / "tests"
    missing = [one for one in named if not (tests / one[1].removeprefix("tests/")).exists()]
    assert missing == []


def test_every_threat_and_owasp_risk_names_a_test() -> None:
    """Break: add a threat without a test, or leave a risk out."""
    text = (DOCS / "security.md").read_text(encoding="utf-8")
    tables = text[text.index("## Threats") : text.index("## Trust in a proxy")]
    rows = re.findall(r"^\| (?!threat|risk|---)(.*) \|$", tables, re.MULTILINE)
    assert [
        row.partition(" |")[0] for row in rows if "`tests/" not in row.rpartition(" | ")[2]
    ] == []
    risks = re.findall(r"^\| API(\d+) ", tables, re.MULTILINE)
    assert risks == [str(number) for number in range(1, 11)]


def test_the_page_of_the_api_says_what_to_do_about_each_error() -> None:
    """Break: add an error, or take a row out of the table."""
    text = (DOCS / "api.md").read_text(encoding="utf-8")
    table = text[text.index("## Errors, and what to do") : text.index("## Idempotency and retries")]
    rows = re.findall(r"^\| \d.*? \| (.+?) \|.*\| (.+?) \|$", table, re.MULTILINE)
    named = {code for codes, remedy in rows if remedy for code in re.findall(r"\w+", codes)}
    assert named == {one.__name__ for one in errors.PublicError.__subclasses__()}


def test_the_page_of_the_audit_names_every_action() -> None:
    """Break: add an action to `ACTION_LABELS`, or take one off the page."""
    text = (DOCS / "management-api.md").read_text(encoding="utf-8")
    named, kind = set(), ""
    for row in re.findall(r"^\| (`\w+\.\w+`.*?) \|", text, re.MULTILINE):
        for start, verb in re.findall(r"`(\w*)\.(\w+)`", row):
            kind = start or kind
            named.add(f"{kind}.{verb}")
    # The page leaves those of the policy to its history.
    assert named == {one for one in ACTION_LABELS if not one.startswith("destinations.")}


def test_pages_name_only_make_targets_and_units_that_exist() -> None:
    """Break: rename a target of the Makefile."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    known = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    units = {path.stem for path in (ROOT / "deploy" / "systemd").iterdir()}
    wrong = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        targets = re.findall(r"(?:`|^)make ([a-z-]+)", text, re.MULTILINE)
        wrong += [(page.name, one) for one in targets if one not in known]
        for named in re.findall(r"systemctl (?:enable --now|start|stop|restart) ([\w. -]+)", text):
            gone = {one.partition(".")[0] for one in named.split()} - units
            wrong += [(page.name, one) for one in sorted(gone)]
    assert wrong == []


def test_the_readme_shows_the_direction_of_imports() -> None:
    """Break: move a package to another layer in `pyproject.toml`."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    of_app = next(
        one
        for one in contracts["tool"]["importlinter"]["contracts"]
        if one["containers"] == ["app"]
    )
    shown = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    assert " > ".join(one.replace(" | ", ", ") for one in of_app["layers"]) in shown
