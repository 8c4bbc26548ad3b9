"""What a play of faults has left behind: at the emulator, and in the database."""

from collections import defaultdict

from app.emulator.emulator import Emulator
from app.messages.tables import message_events, messages
from support.factories import Factory
from support.history import Created, Held


def created_at(emulator: Emulator) -> list[Created]:
    """What the provider accepted."""
    found = emulator.messages.newest_first()
    return [Created(one.body, one.message_id, one.sid) for one in found]


def held_in(factory: Factory) -> list[Held]:
    """What the database holds."""
    applied: dict[str, list[str]] = defaultdict(list)
    for event in sorted(factory.rows(message_events), key=lambda one: one["id"]):
        if event["applied"]:
            applied[str(event["message_id"])].append(event["status"])
    return [
        Held(
            str(row["id"]),
            row["body"],
            row["submission"],
            row["status"],
            row["message_sid"],
            tuple(applied[str(row["id"])]),
        )
        for row in factory.rows(messages)
    ]
