"""Classes of webhook attempts, named as in Twilio's retry policies."""

from dataclasses import dataclass
from enum import StrEnum


class CallbackOutcome(StrEnum):
    """How an attempt ended; the values of retry policies are Twilio's own words."""

    ANSWERED = "answered"
    CLIENT_ERROR = "4xx"
    SERVER_ERROR = "5xx"
    NO_CONNECTION = "ct"
    NO_ANSWER_IN_TIME = "rt"
    BROKEN_OFF = "broken off"
    NOT_PERMITTED = "not permitted"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one attempt; `http_status` is null when there was no answer."""

    outcome: CallbackOutcome
    http_status: int | None = None
    content_type: str = ""
    body: str = ""

    @property
    def failure(self) -> str | None:
        """Why there was no answer, or null when there was one."""
        if self.http_status is not None:
            return None
        return {
            CallbackOutcome.NOT_PERMITTED: (
                "the host is not loopback and not allowed by the configuration"
            ),
            CallbackOutcome.NO_CONNECTION: "no connection",
            CallbackOutcome.NO_ANSWER_IN_TIME: "no answer in time",
        }.get(self.outcome, "the connection broke")


def outcome_of(http_status: int) -> CallbackOutcome:
    """The class of an answer; everything below 400 is one."""
    match http_status // 100:
        case 4:
            return CallbackOutcome.CLIENT_ERROR
        case 5:
            return CallbackOutcome.SERVER_ERROR
        case _:
            return CallbackOutcome.ANSWERED
