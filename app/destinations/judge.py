"""The verdict for one number, for sends and checks."""

from datetime import datetime

from app.destinations.policy import Policy, Verdict, decide
from app.destinations.refusal import Source
from app.kernel.errors import DestinationBlocked, InvalidDestination
from app.kernel.phone import Destination, not_canonical


def check_destination(policy: Policy, destination: Destination, now: datetime) -> Verdict:
    """Return the verdict for a number that may be reached.

    Raises:
        InvalidDestination: not a real number, not in its canonical form (``details.canonical``),
            or of a kind that cannot receive SMS.
        DestinationBlocked: the policy does not let it be reached; ``details`` say which rule.
    """
    if not destination.is_real:
        raise InvalidDestination(details={"reason": "not_a_real_number"})
    number, canonical = destination.number, destination.canonical
    if canonical is not None and number != canonical:
        raise InvalidDestination(
            not_canonical(number, canonical),
            details={"reason": "not_canonical", "canonical": canonical},
        )
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
        raise DestinationBlocked(details=_blocked_details(verdict))
    return verdict


def _blocked_details(verdict: Verdict) -> dict[str, object]:
    return {
        "source": Source.POLICY,
        "country": verdict.country,
        "rule": verdict.rule,
        "scope": verdict.scope,
        "revision": verdict.revision,
        "retryable": False,
    }
