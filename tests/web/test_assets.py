"""Files of the pages: what is served, how long it may be kept, and that nobody changed it."""

import gzip
import hashlib
import re
from pathlib import Path

import pytest

from app.application import create_app
from app.db.encryption import Cipher
from app.db.engine import Database
from app.kernel.errors import NotFound
from app.web.assets import MEDIA_TYPES, VENDORED, Assets, asset_url
from support.each import each
from support.factories import Gateway, open_gateway
from support.served import Served

pytestmark = pytest.mark.one_engine

VENDORED_FILES = sorted(path.name for path in VENDORED.iterdir() if path.suffix in MEDIA_TYPES)


@pytest.fixture
def behind_prefix(cipher: Cipher, tmp_path: Path) -> Gateway:
    """A gateway whose public URL has a path; files ask nothing of its database."""
    database = Database(f"sqlite:///{tmp_path}/unused.db")
    return open_gateway(database, cipher, tmp_path, public_url="https://sms.example.com/gw")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one style."""
    (tmp_path / "page.css").write_text("p { margin: 0 }", encoding="utf-8")
    return tmp_path


def url_of(gateway: Gateway, name: str) -> str:
    with gateway.client.application.app_context():
        return asset_url(name)


def test_the_vendored_files_are_those_of_the_check_sums_and_no_other() -> None:
    lines = (VENDORED / "SHA256SUMS").read_text(encoding="ascii").splitlines()
    wanted = {name: checksum for checksum, name in (line.split("  ") for line in lines)}
    for name, checksum in wanted.items():
        assert hashlib.sha256((VENDORED / name).read_bytes()).hexdigest() == checksum, name
    about = {"SHA256SUMS", "VENDORED.md"}
    found = {p.relative_to(VENDORED).as_posix() for p in VENDORED.rglob("*") if p.is_file()}
    assert found == wanted.keys() | about


def test_each_vendored_file_is_listed_with_its_version_and_licence() -> None:
    document = (VENDORED / "VENDORED.md").read_text(encoding="utf-8")
    for name in VENDORED_FILES:
        assert re.search(
            rf"\| `{re.escape(name)}` \| \S+ \| [\d.]+ \|.*\(?(Apache|0BSD|MIT)", document
        )


@pytest.mark.parametrize("name", VENDORED_FILES)
def test_vendored_styles_only_load_inline_images(name: str) -> None:
    text = (VENDORED / name).read_text(encoding="utf-8")
    if name.endswith(".css"):
        urls = re.findall(r"url\(\s*[\"']?([^\"')]{0,10})", text)
        assert all(url.startswith("data:image") for url in urls)
        assert "@import" not in text


@pytest.mark.parametrize("name", VENDORED_FILES)
def test_a_file_is_served_with_its_type_and_may_be_kept_for_ever(served: Served, name: str) -> None:
    """Break: in `app/web/requests.py`, add the headers that the answer has already."""
    answer = served.gateway.get(url_of(served.gateway, name))
    assert answer.status_code == 200
    assert answer.data == (VENDORED / name).read_bytes()
    assert answer.headers["Content-Type"] == MEDIA_TYPES[Path(name).suffix]
    assert answer.headers.getlist("Cache-Control") == ["public, max-age=31536000, immutable"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Vary"] == "Accept-Encoding"
    assert "Set-Cookie" not in answer.headers


def test_it_is_compressed_for_clients_that_accept_it(served: Served) -> None:
    url = url_of(served.gateway, "swagger-ui-bundle.js")
    answer = served.gateway.get(url, Accept_Encoding="br, gzip;q=0.5")
    assert answer.headers["Content-Encoding"] == "gzip"
    assert len(answer.data) < 500_000
    assert gzip.decompress(answer.data) == (VENDORED / "swagger-ui-bundle.js").read_bytes()
    plain = served.gateway.get(url, Accept_Encoding="gzip;q=0")
    assert "Content-Encoding" not in plain.headers
    assert plain.headers["ETag"] != answer.headers["ETag"]


@pytest.mark.parametrize("accepted", ["gzip", "identity"])
def test_cached_file_answers_304(served: Served, accepted: str) -> None:
    url = url_of(served.gateway, "htmx.min.js")
    tag = served.gateway.get(url, Accept_Encoding=accepted).headers["ETag"]
    again = served.gateway.get(url, Accept_Encoding=accepted, If_None_Match=tag)
    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["ETag"] == tag
    other = served.gateway.get(url, Accept_Encoding=accepted, If_None_Match='"other"')
    assert other.status_code == 200


@each(
    "path",
    [
        *("/assets/{version}/VENDORED.md", "/assets/{version}/SHA256SUMS"),
        *("/assets/{version}/pico.min.cs", "/assets/{version}/..%2Fassets.py"),
        *("/assets/{version}/../assets.py", "/assets/{version}/%2Fetc%2Fpasswd"),
        *("/assets/0000000000000000/pico.min.css", "/assets//pico.min.css"),
        "/assets/pico.min.css",
    ],
)
def test_nothing_else_of_the_folder_is_served(served: Served, path: str) -> None:
    version = url_of(served.gateway, "pico.min.css").split("/")[-2]
    answer = served.gateway.get(path.format(version=version))
    assert (answer.status_code, answer.get_json()["code"]) == (404, "NotFound")
    assert answer.headers["Cache-Control"] == "no-store"


def test_addresses_have_the_prefix_of_the_public_url(behind_prefix: Gateway) -> None:
    url = url_of(behind_prefix, "pico.min.css")
    assert url.startswith("/gw/assets/")
    assert behind_prefix.get(url).status_code == 200
    assert behind_prefix.get(url.removeprefix("/gw")).status_code == 200


def test_a_file_that_changes_gets_another_address(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    first = Assets([folder]).url("page.css")
    changed = tmp_path_factory.mktemp("changed")
    (changed / "page.css").write_text("p { margin: 1px }", encoding="utf-8")
    second = Assets([changed]).url("page.css")
    assert first != second
    with pytest.raises(NotFound):
        Assets([changed]).find(first.split("/")[-2], "page.css")


def test_two_files_of_one_name_are_a_defect(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("other")
    (other / "page.css").write_text("", encoding="utf-8")
    with pytest.raises(ValueError, match=r"two files are named page\.css"):
        Assets([folder, other])


def test_asking_for_the_address_of_a_file_that_is_not_there_is_a_defect(folder: Path) -> None:
    with pytest.raises(KeyError):
        Assets([folder]).url("absent.css")


def test_templates_know_the_addresses(served: Served) -> None:
    app = create_app(served.gateway.services)
    with app.app_context():
        text = app.jinja_env.from_string("{{ asset_url('pico.min.css') }}").render()
        assert text == asset_url("pico.min.css")
