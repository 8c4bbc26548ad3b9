"""`keys`: making, listing and revoking access keys. A token is printed once, when it is made."""

from datetime import datetime

import click

from app.access.keys import NewKey, create_key
from app.access.roles import Role
from app.access.store import load_keys, revoke_key
from app.cli.group import Failure, Group, echo_json
from app.cli.key_rows import Scope, render, scope_of, state_of
from app.cli.opening import ready_database
from app.cli.scopes import find_keys_to_revoke, find_scope
from app.cli.times import expiry
from app.kernel.clock import rfc3339, utc_now
