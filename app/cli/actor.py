"""The author of a change made by a command: the user of this machine."""

import os
import pwd

from app.access.principal import Actor, ActorKind

_NAMELESS = "command line"


def command_line_actor() -> Actor:
    """Return the user who runs the command, or just the command line if the user has no name."""
    return Actor(ActorKind.COMMAND_LINE, _login_name() or _NAMELESS)


def _login_name() -> str | None:
    # The environment would say what the user likes it to say.
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return None
