"""The checks of a send, in their order. Pure.

Each check has its own public code; the first failure is raised.
"""

from datetime import datetime

from app.access.principal import Principal, admit
from app.access.provider_account import ProviderAccount
from app.access.roles import Role
from app.destinations.judge import check_destination
from app.destinations.policy import Verdict
from app.kernel.errors import (
    Forbidden,
    ProviderMisconfigured,
    RecipientOptedOut,
    UseCaseNotFound,
    WorkspaceSuspended,
)
from app.kernel.phone import Destination
from app.messages.context import SendContext, UseCase
from app.use_cases.eligibility import check_eligibility


def admit_caller(caller: str | Principal, context: SendContext, now: datetime) -> Principal:
    """Return the principal of a send: from the access key that was read, or from the session.

    Raises:
        Unauthorized: there is no such key, or it is expired or revoked.
        Forbidden: the role is not sufficient.
    """
    if isinstance(caller, str):
        return admit(context.key, Role.SENDER, now)
    if not caller.role.permits(Role.SENDER):
        raise Forbidden(f"This takes the role {Role.SENDER}; you have {caller.role} here.")
    return caller


def reachable_use_case(context: SendContext, principal: Principal) -> UseCase:
    """Return the use case if it exists for this principal.

    Raises:
        UseCaseNotFound: it is absent, deleted, or another tenant's.
    """
    found = context.use_case
    if found is None or not principal.reaches(found.organization_id, found.workspace_id):
        raise UseCaseNotFound
    return found


def check_admission(
    use_case: UseCase, context: SendContext, destination: Destination, now: datetime
) -> tuple[ProviderAccount, Verdict]:
    """Run the checks of a send.

    Raises:
        WorkspaceSuspended, UseCaseInactive, BrandSuspended, NoSenderNumber, CampaignNotVerified,
        InvalidDestination, DestinationBlocked, RecipientOptedOut: the first that applies.
        ProviderMisconfigured: the workspace has no provider account.
    """
    if use_case.is_frozen:
        raise WorkspaceSuspended
    check_eligibility(use_case.standing)
    verdict = check_destination(context.policy, destination, now)
    if context.has_opted_out:
        raise RecipientOptedOut
    if use_case.account is None:
        raise ProviderMisconfigured("The workspace has no provider account.")
    return use_case.account, verdict
