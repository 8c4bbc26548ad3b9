"""docs/production.md is followed, from an empty folder to a delivered message through nginx.

What a test machine does not have is replaced: the system's folders by one of the test's own, users
and systemctl by nothing, Twilio by its emulator, the host name by a port of loopback. The services
are started as their units say. pytest's summary has the time of each step.
"""

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.emulator.server import EmulatorServer
from support.factories import ACCOUNT, AUTH_TOKEN, SERVICE_SID
from support.nginx import find_nginx, running_nginx
from support.polling import PATIENCE_SECONDS, eventually
from support.ports import free_ports
from support.processes import ROOT

PAGE = (ROOT / "docs" / "production.md").read_text(encoding="utf-8")
_SYSTEM_FOLDERS = ("/opt/borderpost", "/var/lib/borderpost", "/var/backups", "/etc/")
_PRELUDE = """
useradd() { :; }
systemctl() { :; }
runuser() { shift 3; "$@"; }
install() { # without the owner, who does not exist here
    local words=(); while [ $# -gt 0 ]; do case $1 in -o|-g) shift 2;; *) words+=("$1"); shift;; esac; done
    command install "${words[@]}"
}
git() { mkdir -p "$3"; (cd "$SOURCE" && tar -c $TREE) | tar -x -C "$3"; }
make() { ln -s "$VENV" .venv; }
nginx() { :; }
curl() { command curl --fail-with-body --cacert "$CERTIFICATE" "$@"; }
"""


@dataclass(frozen=True, slots=True)
class Machine:
    """A folder that stands for the root of an empty machine."""

    root: Path
    replaced: dict[str, str]
    environ: dict[str, str]

    def path(self, name: str) -> Path:
        return self.root / name.lstrip("/")

    def here(self, text: str) -> str:
        """Return commands of the page as they run on this machine."""
        for shown, ours in self.replaced.items():
            text = text.replace(shown, ours)
        for folder in _SYSTEM_FOLDERS:
            text = text.replace(folder, f"{self.root}{folder}")
        return text

    def run(self, *blocks: str, before: str = "") -> str:
        """Run blocks of the page, in the folder of the installation where it exists."""
        commands = [_PRELUDE, before, *(self.here(_block(name)) for name in blocks)]
        installed = self.path("/opt/borderpost")
        done = subprocess.run(
            ["bash", "-euc", "\n".join(commands)],
            cwd=installed if installed.exists() else self.root,
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{blocks}: {done.stderr}{done.stdout}"
        return done.stdout

    @contextmanager
    def unit(self, name: str, notify: Path | None = None) -> Iterator[subprocess.Popen[bytes]]:
        """Run a service as its unit file says; it must end well on SIGTERM."""
        text = self.path(f"/etc/systemd/system/{name}.service").read_text(encoding="utf-8")
        lines = [line.partition("=") for line in self.here(text).splitlines() if "=" in line]
        values = [(key, value) for key, _, value in lines]
        environ = {key: self.environ[key] for key in ("PATH", "HOME") if key in self.environ}
        for key, value in values:
            if key == "Environment":
                environ.update([tuple(value.split("=", 1))])  # type: ignore[list-item]
            elif key == "EnvironmentFile":
                rows = Path(value.lstrip("-")).read_text(encoding="utf-8").splitlines()
                environ.update(row.split("=", 1) for row in rows if "=" in row and row[0] != "#")
        if notify is not None:
            environ["NOTIFY_SOCKET"] = str(notify)
        found = dict(values)
        with (self.root / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                shlex.split(found["ExecStart"]),
                cwd=found["WorkingDirectory"],
                env=environ,
                stdout=log,
                stderr=log,
            )
        try:
            yield process
        finally:
            process.terminate()
            code = process.wait(PATIENCE_SECONDS)
        assert code == 0, (self.root / f"{name}.log").read_text(encoding="utf-8")[-2000:]


def _block(name: str) -> str:
    found = re.search(rf"```sh {name}\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None, name
    return found[1]


def _steps() -> Iterator[str]:
    yield from re.findall(r"```sh (\w+)", PAGE)


@pytest.fixture
def engine_name() -> str:
    """The page begins with SQLite."""
    return "sqlite"


def test_the_page_leads_from_an_empty_folder_to_a_delivered_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record_property: Callable[[str, object], None]
) -> None:
    """Break: leave a step of the page out, or change `ExecStart` in a unit."""
    find_nginx()
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed: `sh .ci/nginx` installs it as root on Debian")
    gateway_port, *ports = free_ports(5)
    times: list[tuple[str, float]] = []
    started = time.monotonic()

    def note(step: str) -> None:
        times.append((step, time.monotonic() - started))

    with ExitStack() as stack:
        proxy = stack.enter_context(running_nginx(tmp_path / "nginx", [gateway_port], ports))
        monkeypatch.setenv("SSL_CERT_FILE", str(proxy.certificate))  # the emulator trusts it
        twilio = stack.enter_context(EmulatorServer())
        machine = _machine(tmp_path, twilio.url, gateway_port, proxy.at_root, proxy.certificate)
        machine.run("install")
        note("install")
        machine.run("settings")
        machine.run("command", "check")
        note("settings")
        printed = machine.run("command", "tenant", before=f"export RETAIL_TOKEN={AUTH_TOKEN}")
        key, use_case = (
            _found_in(printed, r"(bp_\w+)"),
            _found_in(printed, r"use case .*: ([0-9a-f-]{36})"),
        )
        note("tenant")
        machine.path("/etc/systemd/system").mkdir(parents=True)
        machine.path("/etc/nginx/snippets").mkdir(parents=True)
        machine.path("/etc/nginx/conf.d").mkdir(parents=True)
        machine.run("services", "proxy")
        _start(stack, machine)
        note("services")
        answer = machine.run("send", before=f"KEY={key}; USE_CASE={use_case}")
        message_id = json.loads(answer)["id"]
        status = f"curl -s {machine.replaced['https://sms.example.com']}/v1/sms/{message_id} "
        status += f'-H "Authorization: AccessKey {key}"'
        eventually(lambda: json.loads(machine.run(before=status))["status"] == "delivered")
        note("delivered")
        ready = f"curl -s http://127.0.0.1:{gateway_port}/readyz"
        eventually(lambda: json.loads(machine.run(before=ready))["worker"]["heartbeat_at"])
        # The emulated Service is no concern of `doctor`; a warning is no failure.
        found = machine.run("command", "doctor")
        assert "ok       callbacks: a signed callback is accepted at the public URL" in found
        note("doctor")
    assert set(_steps()) == {
        *("install", "settings", "command", "check", "tenant", "services", "proxy", "send"),
        "doctor",
    }
    record_property(
        "times", "production page: " + ", ".join(f"{one} {at:.1f} s" for one, at in times)
    )


def _found_in(text: str, pattern: str) -> str:
    found = re.search(pattern, text)
    assert found is not None, text
    return found[1]


def _machine(
    root: Path, twilio_url: str, gateway_port: int, public_port: int, certificate: Path
) -> Machine:
    known = {name: text for name, text in os.environ.items() if not name.startswith("BORDERPOST_")}
    tree = "app deploy docs wsgi.py gunicorn.conf.py pyproject.toml"
    environ = known | {
        "SOURCE": str(ROOT),
        "TREE": tree,
        "VENV": str(Path(sys.executable).parent.parent),
        "CERTIFICATE": str(certificate),
        "SSL_CERT_FILE": str(certificate),
    }
    more = f"BORDERPOST_TWILIO_URL={twilio_url}\nBORDERPOST_BIND=127.0.0.1:{gateway_port}\n"
    replaced = {
        "https://sms.example.com": f"https://127.0.0.1:{public_port}",
        "# BORDERPOST_DATABASE_URL": f"{more}# BORDERPOST_DATABASE_URL",
        "AC…": ACCOUNT,
        "MG…": SERVICE_SID,
        "BN…": "BN" + "0" * 32,
        "QE…": "QE" + "0" * 32,
    }
    return Machine(root, replaced, environ)


def _start(stack: ExitStack, machine: Machine) -> None:
    """Start the units in their order, as systemd would; the gateway says when it is ready."""
    with machine.unit("borderpost-migrate") as migrate:
        assert migrate.wait(PATIENCE_SECONDS) == 0
    path = machine.root / "notify"
    notify = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
    notify.bind(str(path))
    notify.settimeout(PATIENCE_SECONDS)
    stack.enter_context(machine.unit("borderpost", path))
    ready = b""
    while b"READY=1" not in ready:
        ready = notify.recv(4096)
    stack.enter_context(machine.unit("borderpost-worker"))
