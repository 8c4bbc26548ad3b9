"""Counting segments."""

from app.emulator.records import count_segments
from support.each import each


@each(
    ("body", "segments"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("a" * 152 + "€" * 5, 2),
        ("a" * 152 + "€" + "a" * 152, 3),
        ("ж" * 70, 1),
        ("ж" * 71, 2),
        ("ж" * 134, 2),
        ("ж" * 135, 3),
        ("👍" * 35, 1),
        ("👍" * 36, 2),
        ("👍" * 66, 2),
        ("👍" * 67, 3),
        ("a" * 1600, 11),
    ],
)
def test_a_body_takes_as_many_segments_as_its_alphabet_allows(body: str, segments: int) -> None:
    assert count_segments(body) == segments
