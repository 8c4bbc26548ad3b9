"""What docs/management-api.md lists is what there is."""

import re
from pathlib import Path

from app.access.key_rules import KeyState
from app.access.principal import ActorKind
from app.access.workspace_rules import BODY_RETENTION_DAYS, NUMBER_RETENTION_DAYS
from app.application import declared_endpoints

PAGE = (Path(__file__).parents[2] / "docs" / "management-api.md").read_text(encoding="utf-8")
TAGS = {"Workspaces", "Use cases", "Access keys", "Opt-outs", "Audit"}


def test_the_table_names_every_path_of_a_list_with_its_calls() -> None:
    rows = dict(re.findall(r"\| `(/v1/\S+)` \| (.+?) \|", PAGE))
    declared: dict[str, set[str]] = {}
    for endpoint in declared_endpoints():
        path = re.sub(r"/\{[a-z_]+\}$", "", endpoint.path)
        if endpoint.tag in TAGS and not path.endswith(("suspend", "resume", "freeze", "thaw")):
            listed = path.replace("{use_case_id}", "{id}")
            declared.setdefault(listed, set()).add(endpoint.method)
    documented = {path: set(re.findall(r"`([A-Z]+)`", calls)) for path, calls in rows.items()}
    assert documented.pop("/v1/webhook-endpoints") == set()  # it has a page of its own
    assert documented == declared


def test_documented_values_are_true() -> None:
    kinds = ", ".join(f"`{kind}`" for kind in ActorKind)
    assert f"`actor_kind` ({kinds})" in PAGE
    assert f"`state`: {', '.join(f'`{state}`' for state in KeyState)}" in PAGE
    assert f"are {BODY_RETENTION_DAYS} and {NUMBER_RETENTION_DAYS}." in PAGE
