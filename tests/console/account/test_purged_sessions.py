"""Sessions are forgotten a week after their end, and no session that is not over."""

from datetime import timedelta

from app.access.principal import Role
from app.kernel.clock import Clock
from app.users.sessions import PurgeSessions
from app.users.tables import sessions
from support.console import signed_in
from support.factories import Factory, Gateway, Tenant
from support.time import ManualClock


def test_a_session_is_forgotten_a_week_after_its_end(
    gateway: Gateway, factory: Factory, tenant: Tenant, clock: ManualClock
) -> None:
    console = signed_in(gateway, tenant.keys[Role.VIEWER])
    signed_in(gateway, tenant.keys[Role.ADMIN])
    console.post("/console/sign-out", on="/console")

    def purge_after(**time: float) -> int:
        at = clock.at + timedelta(**time)
        return PurgeSessions(factory.database, Clock(lambda: at))()

    assert purge_after(days=6) == 0
    assert purge_after(days=7, minutes=1) == 1
    assert console.get("/console").status_code == 302
    assert len(factory.rows(sessions)) == 1
    assert purge_after(days=7, hours=13) == 1
