"""An accepted e-mail address is one recipient in the header of a mail."""

import string
from email.message import EmailMessage
from email.policy import SMTP

from app.kernel.mail import mistake_in_email

_PLACES = (
    *("{}a@example.com", "a{}@example.com", "a{}b@example.com", "a@ex{}ample.com"),
    *("a@example.com{}", "a{}b@c@d"),
)


def test_an_accepted_address_is_one_recipient() -> None:
    """Break: accept a comma, and a sign-in link is mailed to two people."""
    others: list[str] = []
    accepted = 0
    for address in (place.format(one) for place in _PLACES for one in string.printable.strip()):
        if mistake_in_email(address) is not None:
            continue
        accepted += 1
        message = EmailMessage(policy=SMTP)
        message["To"] = address
        if [one.addr_spec for one in message["To"].addresses] != [address]:
            others.append(address)
    assert others == []
    assert accepted > 300
