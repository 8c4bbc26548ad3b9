"""The tokens of provider accounts as a file names them: as they are, or as ``env:NAME``.

A token is never part of a text.
"""

import re
from collections.abc import Mapping

from app.provisioning.mistakes import Mistakes

_FROM_ENVIRONMENT = "env:"
_FORM = re.compile(r"[!-~]{1,255}", re.ASCII)


def read_token(
    given: str, place: str, environ: Mapping[str, str], mistakes: Mistakes
) -> str | None:
    """Return the token itself; None, with a mistake noted, where it cannot be one."""
    token, said = given, ""
    if given.startswith(_FROM_ENVIRONMENT):
        name = given.removeprefix(_FROM_ENVIRONMENT)
        token, said = environ.get(name, ""), f" in the environment variable {name}"
        if not token:
            mistakes.add(place, f"The environment variable {name} is not set.")
            return None
    if not _FORM.fullmatch(token):
        mistakes.add(place, f"Must have 1 to 255 visible ASCII characters{said}.")
        return None
    return token
