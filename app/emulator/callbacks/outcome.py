"""Classes of webhook attempts, named as in Twilio's retry policies."""

from dataclasses import dataclass
from enum import StrEnum


class CallbackOutcome(StrEnum):
    """The result of an attempt; retry policies use these words of Twilio's."""

    ANSWERED = "answered"
    CLIENT_ERROR = "4xx"
    SERVER_ERROR = "5xx"
    NO_CONNECTION = "ct"
    NO_ANSWER_IN_TIME = "rt"
    BROKEN_OFF = "broken off"
    NOT_PERMITTED = "not permitted"


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of one attempt; `http_status` is null without an answer."""

    outcome: CallbackOutcome
    http_status: int | None = None
    content_type: str = ""
    body: str = ""

    @property
    def failure(self) -> str | None:
        """Why there was no answer; null when there was one."""
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
    """Classifies an answer; every status below 400 is success."""
    match http_status // 100:
        case 4:
            return CallbackOutcome.CLIENT_ERROR
        case 5:
            return CallbackOutcome.SERVER_ERROR
        case _:
            return CallbackOutcome.ANSWERED
