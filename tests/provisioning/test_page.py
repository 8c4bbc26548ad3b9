"""The page about provisioning names every field."""

from pathlib import Path

from marshmallow import Schema

from app.provisioning import schemas
from support.each import each

PAGE = Path(__file__).parents[2] / "docs" / "provisioning.md"
SCHEMAS = [
    found
    for found in vars(schemas).values()
    if isinstance(found, type) and issubclass(found, Schema) and found is not Schema
]


@each("schema", SCHEMAS, ids=lambda schema: schema.__name__)
def test_the_page_names_every_field(schema: type[Schema]) -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert [name for name in schema().fields if name not in page] == []
