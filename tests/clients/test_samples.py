"""The samples of docs/api.md send a message, in each language that this machine speaks."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import pytest

from app.access.principal import Role
from app.db.engine import Database
from app.kernel.clock import utc_now
from app.webhooks.endpoints import mint_secret, signed_headers
from support.live_gateway import start_live_gateway_here
from support.processes import ROOT

pytestmark = pytest.mark.one_engine
PAGE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
# Language of the page: the program that runs a file of it, and the file's name.
_RUN = {
    "sh": (["sh"], "sample.sh"),
    "python": ([sys.executable], "sample.py"),
    "js": (["node"], "sample.js"),
    "php": (["php"], "sample.php"),
    "go": (["go", "run"], "sample.go"),
}
_ALWAYS = {"sh", "python"}
# What a sample needs of its language, besides the program.
_HAS_PARTS = {
    "js": ["node", "-e", "process.exit(typeof fetch === 'function' ? 0 : 1)"],
    "php": ["php", "-r", "exit((int) (!defined('CURLINFO_RETRY_AFTER')));"],
}
_OF_EVERY_REQUEST = ("/v1/sms", "AccessKey ", "Idempotency-Key", "use_case_id", "to_phone_number")


def test_the_samples_send(database: Database, tmp_path: Path) -> None:
    """Break: misspell a field in one of them."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed: `sh .ci/nginx` installs it as root on Debian")
    samples = dict(
        re.findall(
            r"^```(\w+)\n(.*?)^```", PAGE.partition("## Samples")[2], re.MULTILINE | re.DOTALL
        )
    )
    assert set(samples) == set(_RUN)
    plain = {language: text for language, text in samples.items() if language != "python"}
    assert [one for one in plain if any(part not in plain[one] for part in _OF_EVERY_REQUEST)] == []
    printed = {}
    with start_live_gateway_here(database, tmp_path) as stage:
        environ = {
            "BORDERPOST": f"http://127.0.0.1:{stage.port}",
            "KEY": stage.tenant.keys[Role.SENDER],
            "USE_CASE": str(stage.tenant.use_case_id),
            "PYTHONPATH": str(ROOT / "clients" / "python" / "src"),
        }
        for language, (program, name) in _RUN.items():
            if language not in _ALWAYS and not _can_run(language):
                continue
            (tmp_path / name).write_text(samples[language], encoding="utf-8")
            done = subprocess.run(
                [*program, str(tmp_path / name)],
                env=dict(os.environ) | environ,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, (language, done.stderr)
            printed[language] = done.stdout
        ids = set(stage.rows())
    assert {
        language for language, text in printed.items() if not any(one in text for one in ids)
    } == set()
    assert set(printed) >= _ALWAYS
    assert len(ids) == len(printed)


def _can_run(language: str) -> bool:
    if shutil.which(_RUN[language][0][0]) is None:
        return False
    check = _HAS_PARTS.get(language)
    return check is None or subprocess.run(check, check=False).returncode == 0


def test_the_code_of_the_clients_readme_works(database: Database, tmp_path: Path) -> None:
    """Break: rename a method on the page."""
    page = (ROOT / "clients" / "python" / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    secret = mint_secret()
    event = {"type": "sms.delivered", "timestamp": "2026-01-31T12:00:00.000Z", "data": {"id": "1"}}
    body = json.dumps(event)
    headers = signed_headers([secret], uuid4(), utc_now(), body)
    with start_live_gateway_here(database, tmp_path) as stage:
        first = stage.send("first").message_id
        names = {
            "use_case_id": stage.tenant.use_case_id,
            "workspace_id": stage.tenant.workspace_id,
            "message_id": first,
            "secret": secret,
            "request": SimpleNamespace(headers=headers, get_data=body.encode),
        }
        ours = {
            "https://sms.example.com": stage.environ["BORDERPOST_PUBLIC_URL"],
            "bp_…": stage.tenant.keys[Role.ADMIN],
        }
        for code in blocks:
            for shown, value in ours.items():
                code = code.replace(shown, value)  # noqa: PLW2901
            exec(code, names)  # the page's own code
    assert len(blocks) >= 4
