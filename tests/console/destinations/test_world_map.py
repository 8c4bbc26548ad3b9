"""The world map: every country that a policy may name is on it, once, as a shape or a tile."""

import gzip
import re
from xml.etree import ElementTree as ET

from app.console.site import CONSOLE_ASSETS
from app.kernel.countries import COUNTRIES

TEXT = (CONSOLE_ASSETS / "world.svg").read_text(encoding="utf-8")
SVG = "{http://www.w3.org/2000/svg}"
ON_IT = [one for one in ET.fromstring(TEXT) if one.get("id")]
LARGEST_PACKED = 20_000


def test_every_country_is_a_shape_or_a_tile() -> None:
    assert sorted(str(one.get("id")) for one in ON_IT) == sorted(COUNTRIES)
    for one in ON_IT:
        if one.tag == f"{SVG}path":
            assert re.fullmatch(r"[MlzZ\d \-]+", one.get("d", "")), one.get("id")
        else:
            assert [part.tag for part in one] == [f"{SVG}path", f"{SVG}text"]
            assert one[1].text == one.get("id")


def test_the_map_contains_only_shapes() -> None:
    tags = {one.tag.removeprefix(SVG) for one in ET.fromstring(TEXT).iter()}
    assert tags == {"svg", "defs", "pattern", "rect", "circle", "path", "g", "text"}
    assert not re.search(r"style=|href|\son\w+=|fill=", TEXT)


def test_the_map_is_small() -> None:
    assert len(gzip.compress(TEXT.encode(), mtime=0)) < LARGEST_PACKED
