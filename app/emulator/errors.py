"""Twilio's error bodies: HTTP status and message of each code."""

from collections.abc import Mapping
from typing import Final

_REGION_CLOSED: Final = (
    "Permission to send an SMS has not been enabled for the region indicated by the 'To' number"
)
# code: (HTTP status, message)
_WORDING: Final[Mapping[int, tuple[int, str]]] = {
    20001: (400, "Invalid parameter"),
    20003: (401, "Authenticate"),
    20004: (405, "Method not allowed"),
    20009: (409, "Cannot change or delete this resource before it is complete"),
    20404: (404, "The requested resource was not found"),
    20429: (429, "Too Many Requests"),
    20500: (500, "An internal server error has occurred"),
    21211: (400, "Invalid 'To' Phone Number"),
    21212: (400, "Invalid 'From' Phone Number"),
    21265: (400, "The 'To' number cannot be a Short Code"),
    21266: (400, "'To' and 'From' number cannot be the same"),
    21408: (400, _REGION_CLOSED),
    21602: (400, "Message body is required."),
    21603: (400, "A 'From' phone number is required."),
    21604: (400, "A 'To' phone number is required."),
    21606: (400, "The 'From' phone number is not a valid, SMS-capable number for your account"),
    21609: (400, "The 'StatusCallback' URL is not a valid URL."),
    21610: (400, "Attempt to send to unsubscribed recipient"),
    21611: (429, "This 'From' number has exceeded the maximum number of queued messages"),
    21612: (400, "Message cannot be sent with the current combination of 'To' and 'From'"),
    21614: (400, "'To' number is not a valid mobile number"),
    21617: (400, "The concatenated message body exceeds the 1600 character limit"),
    21624: (400, "The ValidityPeriod is invalid"),
    21703: (400, "The Messaging Service does not have a sender that can reach the 'To' number"),
    21704: (400, "The Messaging Service contains no phone numbers."),
    21705: (400, "The Messaging Service Sid is invalid"),
    30409: (400, "This message cannot be canceled"),
}
_UNLISTED: Final = (400, "The request was refused")


class TwilioError(Exception):
    """`detail` is appended to the message; `status` replaces the code's usual HTTP status."""

    def __init__(
        self,
        code: int,
        detail: str = "",
        *,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        usual_status, message = _WORDING.get(code, _UNLISTED)
        self.code = code
        self.message = f"{message}: {detail}" if detail else message
        self.status = status or usual_status
        self.headers = dict(headers or {})
        super().__init__(code)

    def body(self) -> dict[str, object]:
        return {
            "code": self.code,
            "message": self.message,
            "more_info": f"https://www.twilio.com/docs/errors/{self.code}",
            "status": self.status,
        }
