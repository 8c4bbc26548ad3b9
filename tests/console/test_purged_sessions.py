"""Sessions are forgotten a week after their end, and no session that is not over."""

from datetime import timedelta

from app.access.roles import Role
from app.kernel.clock import Clock, utc_now
from app.people.purge import PurgeSessions
from app.people.tables import sessions
from support.console import signed_in
from support.world import Gateway, Tenant, World


def test_a_session_is_forgotten_a_week_after_its_end(
    gateway: Gateway, world: World, tenant: Tenant
) -> None:
    window = signed_in(gateway, tenant.keys[Role.VIEWER])
    signed_in(gateway, tenant.keys[Role.ADMIN])
    window.post("/console/sign-out", on="/console")

    def purge_after(**time: float) -> int:
        at = utc_now() + timedelta(**time)
        return PurgeSessions(world.database, Clock(lambda: at))()

    assert purge_after(days=6) == 0
    assert purge_after(days=7, minutes=1) == 1
    assert window.get("/console").status_code == 302
    assert len(world.rows(sessions)) == 1
    assert purge_after(days=7, hours=13) == 1
