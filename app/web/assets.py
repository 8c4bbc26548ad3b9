"""Static files under versioned URLs, which browsers may cache permanently."""

import hashlib
from collections.abc import Iterable
from functools import cache, cached_property
from pathlib import Path

from flask import Flask

from app.kernel import errors as e
from app.web.health import Anyone
from app.web.registry import get_service, register_service
from app.web.routes import Answer, CachedResponse, Routes, cached_answer

VENDORED = Path(__file__).parent / "vendored"
# Served file types; licences and checksums in the folder are not served.
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}
_VERSION_LENGTH = 16

routes = Routes("Assets", described=False)


class Asset:
    """A file, read when it is first asked for: the largest takes 1.7 MiB and is for /docs only."""

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self._path = path

    @cached_property
    def compressed(self) -> CachedResponse:
        return CachedResponse(self._path.read_bytes(), MEDIA_TYPES[self._path.suffix])

    @cached_property
    def version(self) -> str:
        return hashlib.sha256(self.compressed.content).hexdigest()[:_VERSION_LENGTH]


class Assets:
    def __init__(self, folders: Iterable[Path], prefix: str = "") -> None:
        self._prefix = prefix
        self._by_name: dict[str, Asset] = {}
        for asset in (one for folder in folders for one in _read(folder)):
            if asset.name in self._by_name:
                raise ValueError(f"two files are named {asset.name}")
            self._by_name[asset.name] = asset

    def url(self, name: str) -> str:
        """Return the URL of a file, with the public prefix; raises KeyError."""
        return f"{self._prefix}/assets/{self._by_name[name].version}/{name}"

    def find(self, version: str, name: str) -> Asset:
        """Raises `NotFound`, also for another version, which must not be cached under this URL."""
        asset = self._by_name.get(name)
        if asset is None or asset.version != version:
            raise e.NotFound
        return asset


@cache
def _read(folder: Path) -> tuple[Asset, ...]:
    paths = sorted(path for path in folder.iterdir() if path.suffix in MEDIA_TYPES)
    return tuple(map(Asset, paths))


def install_assets(app: Flask, folders: Iterable[Path], prefix: str) -> None:
    register_service(app, Assets(folders, prefix))
    app.jinja_env.globals["asset_url"] = asset_url


def asset_url(name: str) -> str:
    return get_service(Assets).url(name)


@routes.add(
    "GET",
    "/assets/{version}/{name}",
    Anyone("styles and scripts are no secret"),
    {200: tuple(kind.partition(";")[0] for kind in MEDIA_TYPES.values())},
    errors=(e.NotFound,),
)
def asset(_: None, version: str, name: str) -> Answer:
    """Serve a file of the pages."""
    found = get_service(Assets).find(version, name)
    return cached_answer(found.compressed, cache="public, max-age=31536000, immutable")
