"""How many segments a text needs, at every boundary of the two alphabets."""

import pytest

from app.kernel.texts import count_segments

GSM_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_EXTENSION = "\f^{}\\[~]|€"
EMOJI = "\N{GRINNING FACE}"

CASES = [
    ("one character", "a", 1),
    ("160 septets", "a" * 160, 1),
    ("161 septets", "a" * 161, 2),
    ("306 septets", "a" * 306, 2),
    ("307 septets", "a" * 307, 3),
    ("459 septets", "a" * 459, 3),
    ("460 septets", "a" * 460, 4),
    ("the longest plain message", "a" * 1600, 11),
    ("an extension character fills the single segment", "a" * 158 + "€", 1),
    ("an extension character is one septet too many", "a" * 159 + "€", 2),
    ("80 extension characters", "€" * 80, 1),
    ("81 extension characters", "€" * 81, 2),
    ("an extension character ends the first part", "a" * 151 + "€" + "a" * 153, 2),
    ("an extension character is not split between parts", "a" * 152 + "€" + "a" * 151, 2),
    ("not splitting it can cost a part", "a" * 152 + "€" + "a" * 152, 3),
    ("70 UTF-16 units", "ж" * 70, 1),
    ("71 UTF-16 units", "ж" * 71, 2),
    ("134 UTF-16 units", "ж" * 134, 2),
    ("135 UTF-16 units", "ж" * 135, 3),
    ("one character outside GSM-7 turns all of it", "a" * 69 + "ж", 1),
    ("one character outside GSM-7 turns all of it, over the limit", "a" * 70 + "ж", 2),
    ("an emoji fills the single segment", "ж" * 68 + EMOJI, 1),
    ("an emoji is one unit too many", "ж" * 69 + EMOJI, 2),
    ("35 emoji", EMOJI * 35, 1),
    ("36 emoji", EMOJI * 36, 2),
    ("an emoji ends the first part", "ж" * 65 + EMOJI + "ж" * 67, 2),
    ("an emoji is not split between parts", "ж" * 66 + EMOJI + "ж" * 65, 2),
    ("not splitting it can cost a part", "ж" * 66 + EMOJI + "ж" * 66, 3),
    ("a backtick is not in GSM-7", "`" * 71, 2),
    ("a lower-case c with cedilla is not in GSM-7", "ç" * 71, 2),
]


@pytest.mark.parametrize(
    ("text", "segments"), [pytest.param(t, n, id=name) for name, t, n in CASES]
)
def test_segments_are_counted_as_they_are_sent(text: str, segments: int) -> None:
    assert count_segments(text) == segments


def test_every_basic_character_is_one_septet() -> None:
    assert len(set(GSM_BASIC)) == 127  # the escape to the extension table is no character
    assert {char: count_segments(char * 160) for char in GSM_BASIC} == dict.fromkeys(GSM_BASIC, 1)
    assert {char: count_segments(char * 161) for char in GSM_BASIC} == dict.fromkeys(GSM_BASIC, 2)


def test_every_extension_character_is_two_septets() -> None:
    assert len(set(GSM_EXTENSION)) == 10
    found = {char: (count_segments(char * 80), count_segments(char * 81)) for char in GSM_EXTENSION}
    assert found == dict.fromkeys(GSM_EXTENSION, (1, 2))
