"""Who changes something by command: the user of this machine, for histories and audits."""

import os
import pwd

from app.access.actor import Actor
from app.access.principal import ActorKind

_NAMELESS = "command line"


def command_line_actor() -> Actor:
    """Name the user who runs the command, or only the command line where the user has no name."""
    return Actor(ActorKind.COMMAND_LINE, _login_name() or _NAMELESS)


def _login_name() -> str | None:
    # The environment would say what the user likes it to say.
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return None
