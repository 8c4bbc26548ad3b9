"""Senders of a pool: what each type may look like, and what the file changes in a pool.

Pure: knows the form of numbers and what is stored, no SQL.
"""

import re
from collections.abc import Sequence
from uuid import UUID

from app.kernel.ids import new_id
from app.kernel.phone import is_e164, resolve
from app.provisioning.desired import DesiredSender
from app.provisioning.records import SenderRecord, Step
from app.use_cases.eligibility import SenderType

_SHORT_CODE = re.compile(r"[0-9]{3,8}", re.ASCII)
# Source: Twilio, "Alphanumeric Sender ID".
_ALPHANUMERIC = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9+\-_& ]{1,11}", re.ASCII)
_NUMBERED = {SenderType.LONG_CODE, SenderType.TOLL_FREE}


def mistake_in_number(number: str, kind: SenderType) -> str | None:
    """Say what is wrong with a sender of this type, or None; never repeats the number."""
    if kind in _NUMBERED:
        return None if is_e164(number) else "Must be in E.164 form, for example +12025550100."
    if kind is SenderType.SHORT_CODE:
        return None if _SHORT_CODE.fullmatch(number) else "Must have 3 to 8 digits."
    if _ALPHANUMERIC.fullmatch(number) and number == number.strip():
        return None
    return "Must have 1 to 11 letters, digits or any of + - _ & and space, with a letter."


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
            country=resolve(sender.number).country if sender.type in _NUMBERED else None,
        )
        steps.append(Step(sender.place, known, after))
    return steps
