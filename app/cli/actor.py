"""The author of a change made by a command."""

import os
import pwd

from app.access.principal import Actor, ActorKind

_NAMELESS = "command line"


def command_line_actor() -> Actor:
    return Actor(ActorKind.COMMAND_LINE, _login_name() or _NAMELESS)


def _login_name() -> str | None:
    # Not getpass.getuser(): it trusts environment variables.
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return None
