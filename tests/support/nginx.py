"""An nginx of a test's own, configured by the files of deploy/nginx."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.certificates import self_signed
from support.polling import PATIENCE_SECONDS, eventually
from support.processes import ROOT

FILES = ROOT / "deploy" / "nginx"
_MAIN = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/borderpost.conf;
    include {folder}/borderpost-*.conf;
}}
"""


@dataclass(frozen=True, slots=True)
class Proxy:
    """Ports of the running nginx, on loopback, and the certificate that it shows."""

    at_root: int
    with_prefix: int
    stripping: int
    certificate: Path
    access_log: Path
    error_log: Path


def find_nginx() -> str:
    """Return the path of nginx, or skip the test with the reason."""
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/sbin")
    if found is None:
        pytest.skip("nginx is not installed: `sh .ci/nginx` installs it as root on Debian")
    return found


@contextmanager
def running_nginx(folder: Path, gateways: list[int], ports: list[int]) -> Iterator[Proxy]:
    """Run nginx before gateways on these ports: at the root, with the prefix ``/sms``, and stripping it."""
    nginx = find_nginx()
    folder.mkdir(exist_ok=True)
    certificate, key = self_signed(folder)
    snippets = folder / "snippets"
    snippets.mkdir(exist_ok=True)
    shutil.copy(FILES / "borderpost-proxy.conf", snippets)
    at_root, with_prefix, stripping, plain = ports
    shipped = (FILES / "borderpost.conf").read_text(encoding="utf-8")
    changes = {
        "server 127.0.0.1:8000;": " ".join(f"server 127.0.0.1:{one};" for one in gateways),
        "listen 443 ssl http2;": f"listen 127.0.0.1:{at_root} ssl http2;",
        "listen 80;": f"listen 127.0.0.1:{plain};",
        "/etc/ssl/sms.example.com/fullchain.pem": str(certificate),
        "/etc/ssl/sms.example.com/privkey.pem": str(key),
        "/var/log/nginx/access.log": str(folder / "access.log"),
        "/var/log/nginx/error.log": str(folder / "error.log"),
        "include snippets/": f"include {snippets}/",
    }
    for shown, ours in changes.items():
        assert shown in shipped, shown
        shipped = shipped.replace(shown, ours)
    prefixed = _with_prefix(shipped).replace(str(at_root), str(with_prefix))
    stripped = prefixed.replace(str(with_prefix), str(stripping)).replace(
        "proxy_pass http://borderpost;", "proxy_pass http://borderpost/;"
    )
    (folder / "borderpost.conf").write_text(shipped, encoding="utf-8")
    (folder / "borderpost-prefix.conf").write_text(_server_of(prefixed), encoding="utf-8")
    (folder / "borderpost-stripping.conf").write_text(_server_of(stripped), encoding="utf-8")
    main = folder / "nginx.conf"
    # As root nginx would give its workers to another user, who may not enter pytest's folder.
    user = "user root;\n" if os.geteuid() == 0 else ""
    main.write_text(user + _MAIN.format(folder=folder), encoding="utf-8")
    command = [nginx, "-p", str(folder), "-c", str(main)]
    checked = subprocess.run([*command, "-t", "-q"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        eventually(lambda: process.poll() is not None or _listens(stripping))
        assert process.poll() is None, (folder / "error.log").read_text(encoding="utf-8")
        logs = folder / "access.log", folder / "error.log"
        yield Proxy(at_root, with_prefix, stripping, certificate, *logs)
    finally:
        process.terminate()
        process.wait(PATIENCE_SECONDS)


def _with_prefix(shipped: str) -> str:
    """Take the comment from `location /sms/`, and `location /` away, as the file says."""
    before, root, rest = shipped.partition("    location / {")
    _, _, behind = rest.partition("    }\n")
    assert root
    commented, _, after = behind.partition("    # location /sms/ {")
    block, end, after = after.partition("    # }\n")
    assert end
    lines = ["    location /sms/ {", *(line.replace("# ", "", 1) for line in block.splitlines())]
    return before + commented + "\n".join(lines) + "\n    }\n" + after


def _server_of(text: str) -> str:
    """Return the TLS server alone: the upstream and the redirect stand in the first file."""
    start = text.index("server {")
    return text[start : text.index("\nserver {", start + 1)]


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
