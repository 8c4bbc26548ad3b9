"""Password strength: pure, except for the file of common passwords."""

from functools import cache
from pathlib import Path

MIN_PASSWORD_CHARS = 12
MAX_PASSWORD_CHARS = 200
PRODUCT = "borderpost"
_MIN_DIFFERENT_CHARS = 4
# Shorter parts of an address occur in too many words.
_MIN_PART_CHARS = 3
_LIST = Path(__file__).with_name("common_passwords.txt")
_LETTERS_FOR_SIGNS = str.maketrans("@04135$7", "aoaiesst")
_SEQUENCES = (
    "0123456789",
    "abcdefghijklmnopqrstuvwxyz",
    "qwertyuiopasdfghjklzxcvbnm",
    "qwertzuiopasdfghjklyxcvbnm",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
    "1q2w3e4r5t6y7u8i9o0p",
)


def mistake_in_password(password: str, email: str) -> str | None:
    if not MIN_PASSWORD_CHARS <= len(password) <= MAX_PASSWORD_CHARS:
        return f"Must have {MIN_PASSWORD_CHARS} to {MAX_PASSWORD_CHARS} characters."
    if len(set(password)) < _MIN_DIFFERENT_CHARS:
        return "Repeats too few characters."
    plain = password.casefold()
    if len(_without(plain, (PRODUCT,))) < MIN_PASSWORD_CHARS:
        return f"Must have {MIN_PASSWORD_CHARS} characters besides the product's name."
    if len(_without(plain, _parts(email.casefold()))) < MIN_PASSWORD_CHARS:
        return f"Must have {MIN_PASSWORD_CHARS} characters besides your own address."
    if _is_common(plain):
        return "Is one of the most common passwords, or one of them with an addition."
    return None


def _parts(email: str) -> tuple[str, ...]:
    local, _, domain = email.strip().rpartition("@")
    parts = (email.strip(), domain, local, domain.partition(".")[0])
    return tuple(part for part in parts if len(part) >= _MIN_PART_CHARS)


def _without(text: str, parts: tuple[str, ...]) -> str:
    for part in parts:
        text = text.replace(part, "")
    return text


def _is_common(plain: str) -> bool:
    for text in (plain, plain.translate(_LETTERS_FOR_SIGNS)):
        unit = _repeated_unit(text)
        if {text, unit, _word(text), _word(unit), _word(plain)} & _common():
            return True
        if _is_sequence(text) or _is_sequence(text[::-1]):
            return True
    return False


def _word(text: str) -> str:
    letters = [place for place, char in enumerate(text) if char.isalpha()]
    return text[letters[0] : letters[-1] + 1] if letters else text


def _repeated_unit(text: str) -> str:
    """Return the shortest text of which this one is a repetition."""
    return text[: (text + text).index(text, 1)]


def _is_sequence(text: str) -> bool:
    return any(text in sequence * (len(text) // len(sequence) + 2) for sequence in _SEQUENCES)


@cache
def _common() -> frozenset[str]:
    return frozenset(_LIST.read_text(encoding="utf-8").splitlines())
