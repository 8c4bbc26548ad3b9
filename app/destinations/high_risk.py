"""High-risk countries: those that the provider itself calls so for the workspace's account.

Where the workspace asks for it, allowing one takes an acknowledgement by name.
"""

from collections.abc import Collection, Sequence

from sqlalchemy import Connection, select, true

from app.access.tables import workspaces
from app.destinations.load import Effective
from app.destinations.policy import Access
from app.destinations.tables import provider_permissions

HIGH_RISK = "The provider calls this country high-risk: name it in acknowledge_high_risk."


def unacknowledged(
    connection: Connection,
    before: Effective,
    codes: Sequence[str],
    acknowledged: Collection[str],
    *,
    always: bool = False,
) -> set[str]:
    """Return the countries that would be newly allowed and still want an acknowledgement.

    With ``always`` they want it even where the workspace does not ask for it.
    """
    new = {code for code in codes if before.state.destinations.get(code) != Access.ALLOWED}
    wanted = new - set(acknowledged)
    if not wanted:
        return set()
    asks = true() if always else workspaces.c.acknowledges_high_risk
    query = (
        select(provider_permissions.c.country)
        .join(workspaces, workspaces.c.account_sid == provider_permissions.c.account_sid)
        .where(
            workspaces.c.id == before.workspace_id,
            asks,
            provider_permissions.c.is_high_risk,
            provider_permissions.c.country.in_(wanted),
        )
    )
    return set(connection.execute(query).scalars())
