"""Plan of a sender pool. Pure."""

from collections.abc import Sequence
from uuid import UUID

from app.kernel.ids import new_id
from app.provisioning.desired import DesiredSender
from app.provisioning.records import SenderRecord, Step
from app.use_cases.sender_numbers import sender_country


def aim_senders(
    desired: Sequence[DesiredSender],
    pool: Sequence[SenderRecord],
    use_case_id: UUID,
    place: str,
) -> list[Step[SenderRecord]]:
    """Turn a list of senders into steps; stored senders that it leaves out are removed."""
    before = {sender.number: sender for sender in pool}
    wanted = {sender.number for sender in desired}
    steps = [
        Step(place, sender, sender, is_removal=True)
        for sender in pool
        if sender.number not in wanted
    ]
    for sender in desired:
        known = before.get(sender.number)
        after = SenderRecord(
            id=known.id if known else new_id(),
            use_case_id=use_case_id,
            number=sender.number,
            type=sender.type.value,
            country=sender_country(sender.number, sender.type),
        )
        steps.append(Step(sender.place, known, after))
    return steps
