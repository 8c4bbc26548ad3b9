"""What commands do to the whole installation is in the audit of each organization."""

import pytest

from app.access.tables import audit_events
from app.cli.audit import note_command
from support.world import World


@pytest.mark.parametrize("action", ["privacy.erased", "privacy.purged", "secrets.rotated"])
def test_a_command_is_noted_for_every_organization(world: World, action: str) -> None:
    owners = {world.organization("Acme"), world.organization("Other")}
    note_command(world.database, action, "3 messages")
    rows = world.rows(audit_events)
    assert {row["organization_id"] for row in rows} == owners
    assert {(row["action"], row["actor_kind"]) for row in rows} == {(action, "command_line")}
