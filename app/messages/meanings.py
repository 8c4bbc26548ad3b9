"""Explanations of error codes and refusals, with remedies."""

_PAGE = "https://www.twilio.com/docs/api/errors/"

_MEANINGS: dict[int, str] = {
    14107: "Too many automatic replies between two numbers in half a minute.",
    20001: "Twilio found the request malformed: a defect of the gateway's.",
    20003: "Twilio does not accept the account's credentials, or the account is closed.",
    20005: "The Twilio account is not active.",
    20006: "The Twilio account may not do this.",
    20008: "Test credentials were used where live ones are needed.",
    20010: "This is switched off for the Twilio account.",
    20404: "Twilio knows nothing of this: often the credentials are of another account.",
    20429: "Too many requests at once; Twilio processed nothing.",
    20500: "Twilio had an internal error.",
    20503: "Twilio was not available.",
    21211: "The number does not exist in this form.",
    21212: "The sender is not one that Twilio knows.",
    21265: "The number is a short code; those receive no messages.",
    21266: "The message was addressed to its own sender.",
    21267: "Trial accounts cannot send from a name.",
    21268: "The number is a premium number; those receive no messages.",
    21408: "Twilio's geo permissions do not allow this country.",
    21601: "The sender cannot send SMS.",
    21602: "The message has no text.",
    21603: "The message has no sender.",
    21604: "The message has no recipient.",
    21606: "The sender does not belong to the account, or cannot send to this country.",
    21608: "A trial account reaches verified numbers only.",
    21609: "Twilio cannot use the callback address: check BORDERPOST_PUBLIC_URL.",
    21610: "The recipient replied STOP and has to reply START first.",
    21611: "The sender has too many messages waiting.",
    21612: "Twilio has no route from this sender to this number.",
    21614: "The number is not a mobile number.",
    21617: "The text is longer than 1,600 characters.",
    21618: "All carriers filter this text.",
    21624: "The validity period is not one that Twilio takes.",
    21635: "The number is a landline.",
    21659: "The sender is not a Twilio number.",
    21660: "The sender belongs to another account.",
    21661: "The sender cannot send SMS.",
    21701: "The Messaging Service does not exist.",
    21702: "The Messaging Service is not available.",
    21703: "No number of the sender pool can reach this country.",
    21704: "The Messaging Service has no senders.",
    21705: "The SID of the Messaging Service is malformed.",
    21730: "Twilio is under maintenance.",
    30001: "Too many messages were waiting at Twilio.",
    30002: "The Twilio account was suspended after the message was accepted.",
    30003: "The phone is off, out of reach, or does not exist any more.",
    30004: "The recipient's carrier blocks messages to this number, often after a STOP.",
    30005: "The number is not in service.",
    30006: "The number is a landline, or its carrier cannot be reached.",
    30007: "Twilio or the carrier filtered the message as unwanted.",
    30008: "The carrier gave no reason.",
    30010: "The price was above the highest allowed.",
    30012: "The validity period was too short.",
    30013: "The validity period was too long.",
    30017: "The carrier's network was congested.",
    30018: "The country wants this sender name registered first.",
    30020: "Twilio had an internal error.",
    30021: "Twilio had an internal error.",
    30022: "The campaign sends faster than the carriers allow.",
    30023: "The brand's daily limit at the carrier is used up.",
    30024: "The sender is not ready at the carrier yet.",
    30032: "The toll-free sender is not verified.",
    30033: "The A2P campaign is suspended.",
    30034: "The US sender is not registered with an A2P campaign.",
    30035: "The sender is still being set up.",
    30036: "The message waited longer than it was valid.",
    30410: "The carrier did not answer in time.",
    30450: "Twilio's protection against SMS pumping blocks the number for half an hour.",
    30453: "Twilio's protection against SMS pumping blocks the number for some hours.",
    30610: "The recipient's quiet hours.",
    30990: "The A2P campaign is suspended.",
}


def code_meaning(code: int) -> str | None:
    return _MEANINGS.get(code)


def code_page(code: int) -> str:
    return f"{_PAGE}{code}"


_REFUSALS: dict[str, str] = {
    "Forbidden": "The role does not permit this, or the access key is limited to some use cases, "
    "countries or networks.",
    "WorkspaceSuspended": "The workspace is suspended: nothing is sent until it is resumed.",
    "UseCaseNotFound": "There is no such use case in this workspace.",
    "UseCaseInactive": "The use case is switched off. Switch it on, or use another.",
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
    "ProviderUnavailable": "Twilio could not be reached. Nothing was sent; try again.",
    "RateLimited": "Too many messages were being sent at once. Nothing was sent; try again.",
    "ServiceUnavailable": "Our database could not be reached. Nothing was sent; try again.",
    "SubmissionUnconfirmed": "Twilio did not confirm the message. It may have been sent.",
    "IdempotencyConflict": "The same send is still running.",
    "IdempotencyKeyReused": "This form was sent before with other values.",
}
# Codes that are listed as refusals; other errors are only returned to the sender.
LISTED_CODES = (
    "BrandSuspended",
    "CampaignNotVerified",
    "DestinationBlocked",
    "GuardTripped",
    "InvalidDestination",
    "MessageRejected",
    "NoSenderNumber",
    "ProviderMisconfigured",
    "RecipientOptedOut",
    "UseCaseInactive",
    "WorkspaceSuspended",
)


def refusal_meaning(code: str) -> str | None:
    """Return None if the code is not a refusal of a send."""
    return _REFUSALS.get(code)
