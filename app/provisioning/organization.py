"""Plan of the organization. Pure."""

from app.kernel.ids import new_id
from app.provisioning.desired import DesiredOrganization
from app.provisioning.mistakes import Mistakes, step
from app.provisioning.records import OrganizationRecord, Step, Stored


def aim_organization(
    desired: DesiredOrganization, stored: Stored, mistakes: Mistakes
) -> Step[OrganizationRecord]:
    """Find the organization by its id or name, or make it."""
    by_name = {known.name: known for known in stored.organizations.values()}
    holder = by_name.get(desired.name or "")
    before = holder if desired.id is None else stored.organizations.get(desired.id)
    organization_id = desired.id or (before.id if before else new_id())
    at_name = step(desired.place, "name")
    if holder is not None and holder.id != organization_id:
        mistakes.add(at_name, f"Is the name of another organization, whose id is {holder.id}.")
    if before is None:
        mistakes.require(desired.name, at_name, "Is needed for an organization that is new.")
        before_denied: tuple[str, ...] = ()
    else:
        before_denied = before.denied_destinations
    denied = desired.denied_destinations
    after = OrganizationRecord(
        id=organization_id,
        name=desired.name or (before.name if before else ""),
        denied_destinations=before_denied if denied is None else tuple(sorted(set(denied))),
    )
    return Step(desired.place, before, after)
