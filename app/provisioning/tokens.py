"""Auth tokens in a file: literal, or ``env:NAME``. Texts never hold a token."""

from collections.abc import Mapping

from app.access.provider_account import mistake_in_token
from app.provisioning.mistakes import Mistakes

_FROM_ENVIRONMENT = "env:"


def read_token(
    given: str, place: str, environ: Mapping[str, str], mistakes: Mistakes
) -> str | None:
    """Return the token; None, with a problem added, if it is not valid."""
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
