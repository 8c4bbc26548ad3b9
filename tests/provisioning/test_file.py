"""A file is read in one way only, or refused."""

import pytest

from app.provisioning.file import FileRefused, parse_text
from support.each import each


def test_toml_and_json_of_the_same_shape_are_the_same_data() -> None:
    toml = b'[organization]\nname = "Acme"\n[[workspaces]]\nname = "Retail"\n'
    json = b' {"organization": {"name": "Acme"}, "workspaces": [{"name": "Retail"}]}'
    assert (
        parse_text(toml)
        == parse_text(json)
        == {"organization": {"name": "Acme"}, "workspaces": [{"name": "Retail"}]}
    )


def test_a_byte_order_mark_is_no_part_of_the_file() -> None:
    assert parse_text(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}


@each(
    ("content", "expected_text"),
    [
        (b'{"a": 1, "a": 2}', "the file: An object has the key 'a' twice."),
        (b'{"a": {"b": 1, "b": 1}}', "the file: An object has the key 'b' twice."),
        (b'{"a": NaN}', "the file: Is not JSON: NaN is not a JSON number."),
        (b'{"a": ', "the file: Is not JSON: Expecting value: line 1 column 7 (char 6)."),
        (b"a = 1\na = 2", "the file: Is not TOML: Cannot overwrite a value"),
        (b"name", "the file: Is not TOML: Expected '='"),
        (b"a = '\xff'", "the file: Is not a text in UTF-8."),
        (b'{"a": ' + b"[" * 100_000, "the file: Is nested too deeply."),
        (b'{"a": ' + b"1" * 5000 + b"}", "the file: Has a number with too many digits."),
        (b"a = " + b"1" * 5000, "the file: Has a number with too many digits."),
    ],
)
def test_ambiguous_files_are_refused(content: bytes, expected_text: str) -> None:
    with pytest.raises(FileRefused) as refused:
        parse_text(content)
    assert str(refused.value).startswith(expected_text)
