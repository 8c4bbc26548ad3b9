"""Valid names: one line that cannot be confused with an id. Pure."""

from app.kernel.ids import parse_id

MAX_NAME_CHARS = 200


def mistake_in_name(name: str) -> str | None:
    if not 0 < len(name) <= MAX_NAME_CHARS or name != name.strip() or not name.isprintable():
        return f"Must have 1 to {MAX_NAME_CHARS} characters on one line, with no space around them."
    if parse_id(name) is not None:
        return "Must not look like an id."
    return None
