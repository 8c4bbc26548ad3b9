"""Explanations of error codes and refusals, with remedies."""

_MEANINGS = {
    "WorkspaceSuspended": "The workspace is suspended: nothing is sent until it is resumed.",
    "UseCaseInactive": "The use case is turned off. Turn it on, or use another.",
    "BrandSuspended": "The brand registration behind the use case is suspended at Twilio.",
    "NoSenderNumber": "No sender of the use case can send this message. Assign one that can.",
    "CampaignNotVerified": "A US long code sends only with a verified A2P campaign.",
    "InvalidDestination": "The number does not exist, or is of a kind that receives no SMS.",
    "DestinationBlocked": "The number is in a place that may not be reached.",
    "RecipientOptedOut": "The recipient does not want messages from this use case.",
    "GuardTripped": "A guard's limit is met: such messages wait until its window has room again.",
    "MessageRejected": "Twilio rejected the message; its code says why.",
    "ProviderMisconfigured": "Twilio refused our settings: check the account's credentials and the "
    "Messaging Service.",
    "Forbidden": "The role does not permit this, or the access key is limited to some use cases, "
    "countries or networks.",
    "UseCaseNotFound": "There is no such use case in this workspace.",
    "ProviderUnavailable": "Twilio could not be reached. Nothing was sent; try again.",
    "RateLimited": "Too many messages were being sent at once. Nothing was sent; try again.",
    "ServiceUnavailable": "Our database could not be reached. Nothing was sent; try again.",
    "SubmissionUnconfirmed": "Twilio did not confirm the message. It may have been sent.",
    "IdempotencyConflict": "The same send is still running.",
    "IdempotencyKeyReused": "This form was sent before with other values.",
}


def refusal_meaning(code: str) -> str | None:
    """Return None if the code is not a refusal of a send."""
    return _MEANINGS.get(code)
