"""What a country map in the file makes of a workspace's policy. Pure."""

from collections.abc import Mapping
from dataclasses import replace

from app.destinations.state import PolicyState, replace_map, start_from
from app.kernel.ids import new_id


def own_policy(before: PolicyState, destinations: Mapping[str, str]) -> PolicyState:
    """Return the policy that a workspace has of its own once the map is its country map.

    Finer rules stay, those that it inherited as copies; rules for a whole country that say
    otherwise than the map go.
    """
    if before.inherits:
        copies = tuple(replace(rule, rule_id=new_id()) for rule in before.rules)
        before = start_from(replace(before, rules=copies))(before)
    return replace_map(destinations)(before)
