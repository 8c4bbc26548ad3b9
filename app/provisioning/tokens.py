"""The tokens of provider accounts as a file names them: as they are, or as ``env:NAME``.

A token is never part of a text.
"""

from collections.abc import Mapping

from app.access.provider_account import mistake_in_token
from app.provisioning.mistakes import Mistakes

_FROM_ENVIRONMENT = "env:"


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
    wrong = mistake_in_token(token)
    if wrong is not None:
        mistakes.add(place, f"{wrong}{said}.")
        return None
    return token
