"""May this message be sent? Every check of seed 004 in the order of SPEC section 5: pure.

Each check has its own public code; the first that fails decides.
"""

from datetime import datetime

from app.access.principal import Principal
from app.access.provider_account import ProviderAccount
from app.destinations.policy import Policy, Verdict, decide
from app.destinations.refusal import Source
from app.kernel.errors import (
    DestinationBlocked,
    InvalidDestination,
    ProviderMisconfigured,
    RecipientOptedOut,
    UseCaseNotFound,
    WorkspaceSuspended,
)
from app.kernel.phone import Destination
from app.messages.context import SendContext, UseCase
from app.use_cases.eligibility import check_eligibility


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
    """Let a message pass to the provider, or say why not.

    Raises:
        WorkspaceSuspended, UseCaseInactive, BrandSuspended, NoSenderNumber, CampaignNotVerified,
        InvalidDestination, DestinationBlocked, RecipientOptedOut: the first that holds.
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


def check_destination(policy: Policy, destination: Destination, now: datetime) -> Verdict:
    """Return the verdict for a number that may be reached.

    Raises:
        InvalidDestination: not a real number, or of a kind that cannot receive SMS.
        DestinationBlocked: the policy does not let it be reached; ``details`` say which rule.
    """
    if not destination.is_real:
        raise InvalidDestination(details={"reason": "not_a_real_number"})
    if destination.country is not None and not destination.receives_sms:
        raise InvalidDestination(
            details={
                "reason": "cannot_receive_sms",
                "kind": destination.kind,
                "country": destination.country,
            }
        )
    verdict = decide(policy, destination, now)
    if not verdict.allowed:
        raise DestinationBlocked(details=blocked_details(verdict))
    return verdict


def blocked_details(verdict: Verdict) -> dict[str, object]:
    """Say which rule of our own policy blocked a number."""
    return {
        "source": Source.POLICY,
        "country": verdict.country,
        "rule": verdict.rule,
        "scope": verdict.scope,
        "revision": verdict.revision,
        "retryable": False,
    }
