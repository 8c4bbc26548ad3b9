"""Creates and changes workspaces; new auth tokens are proven before the transaction."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from app.access.accounts import NOT_ACCEPTED, PATH, AccountPlan
from app.access.audit import PrincipalChange
from app.access.principal import Principal
from app.db.encryption import Cipher
from app.db.engine import Database
from app.db.rows import AnyRow
from app.kernel.clock import Clock
from app.kernel.concurrency import ConcurrencyLimit
from app.kernel.errors import ValidationFailed
from app.providers.port import TokenProver
from app.tenancy.workspaces import (
    NewWorkspace,
    change_workspace,
    check_change,
    check_new_workspace,
    create_workspace,
)

_PROOFS = "linked-accounts", 2, "Too many accounts are being linked at once; try again."


@dataclass(frozen=True, slots=True)
class ManageWorkspaces:
    """Raises `ProviderUnavailable` if a token could not be proven."""

    database: Database
    cipher: Cipher
    clock: Clock
    prover: TokenProver
    _proofs: ConcurrencyLimit = field(default_factory=lambda: ConcurrencyLimit(*_PROOFS))

    def create(self, principal: Principal, wanted: NewWorkspace) -> AnyRow:
        if wanted.twilio is not None:
            with self.database.reading() as connection:
                planned = check_new_workspace(connection, self.cipher, principal, wanted)
            wanted = replace(wanted, twilio=replace(wanted.twilio, is_proven=self._prove(planned)))
        now = self.clock.now()
        with self.database.writing() as connection:
            change = PrincipalChange.by(principal, connection, now)
            return create_workspace(change, self.cipher, wanted)

    def change(self, principal: Principal, workspace_id: UUID, wanted: Mapping[str, Any]) -> AnyRow:
        twilio = wanted.get("twilio")
        if twilio is not None:
            with self.database.reading() as connection:
                planned = check_change(connection, self.cipher, principal, workspace_id, wanted)
            wanted = {**wanted, "twilio": replace(twilio, is_proven=self._prove(planned))}
        now = self.clock.now()
        with self.database.writing() as connection:
            change = PrincipalChange.by(principal, connection, now)
            return change_workspace(change, self.cipher, workspace_id, wanted)

    def _prove(self, planned: AccountPlan | None) -> bool:
        if planned is None or not planned.unproven_tokens:
            return False
        with self._proofs.slot():
            wrong = [
                name
                for name, token in planned.unproven_tokens.items()
                if not self.prover.accepts(planned.sid, token)
            ]
        if wrong:
            raise ValidationFailed({f"{PATH}.{name}": [NOT_ACCEPTED] for name in wrong})
        return True
