"""High-risk countries, as the provider marks them for the workspace's account.

If the workspace requires it, allowing one needs an acknowledgement by name.
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
    """Return the newly allowed countries that still need an acknowledgement.

    ``always`` requires it even if the workspace does not.
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
