"""Which URL a callback must be signed for: the public one, with the target as it came."""

from dataclasses import dataclass, field

from twilio.request_validator import RequestValidator
from werkzeug.datastructures import MultiDict

from support.each import each
from support.signed_route import signed_app
from support.wire import FormItems, post_raw

TOKEN = "0123456789abcdef0123456789abcdef"
PATH = "/v1/webhook/twilio/sms-status"
QUERY = "?message_id=01a2-b3"
FORM: FormItems = [("AccountSid", "AC1"), ("From", "+1 202"), ("Body", "é & = %27 +")]


@dataclass
class Case:
    """A deployment and a callback to it; ``wire`` is the target that reaches us."""

    public_url: str
    signed: str
    wire: str = PATH + QUERY
    form: FormItems = field(default_factory=lambda: FORM)
    expected: int = 204
    host: str = "10.0.0.5:8000"


BASE = "https://sms.example.com"
CASES = {
    "https": Case(BASE, BASE + PATH + QUERY),
    "http": Case("http://sms.example.com", "http://sms.example.com" + PATH + QUERY),
    "no query": Case(BASE, BASE + PATH, PATH),
    "an empty query": Case(BASE, BASE + PATH + "?", PATH + "?"),
    "another scheme": Case(BASE, "http://sms.example.com" + PATH + QUERY, expected=403),
    "another host": Case(BASE, "https://evil.example" + PATH + QUERY, expected=403),
    "the Host header is not asked": Case(
        BASE, "https://evil.example" + PATH + QUERY, expected=403, host="evil.example"
    ),
    "a port that Twilio keeps": Case(BASE + ":8443", BASE + ":8443" + PATH + QUERY),
    "a port that Twilio drops": Case(BASE + ":8443", BASE + PATH + QUERY),
    "a default port that is signed": Case(BASE, BASE + ":443" + PATH + QUERY),
    "another port": Case(BASE + ":8443", BASE + ":8444" + PATH + QUERY, expected=403),
    "a prefix that the proxy leaves": Case(
        BASE + "/sms", BASE + "/sms" + PATH + QUERY, "/sms" + PATH + QUERY
    ),
    "a prefix that the proxy strips": Case(BASE + "/sms", BASE + "/sms" + PATH + QUERY),
    "a prefix of two steps": Case(
        BASE + "/a/b", BASE + "/a/b" + PATH + QUERY, "/a/b" + PATH + QUERY
    ),
    "a prefix that is not signed": Case(BASE + "/sms", BASE + PATH + QUERY, expected=403),
    "a trailing slash": Case(BASE, BASE + PATH + "/" + QUERY, PATH + "/" + QUERY),
    "a trailing slash that is not signed": Case(
        BASE, BASE + PATH + QUERY, PATH + "/" + QUERY, expected=403
    ),
    "an absolute target, as sent to a proxy": Case(
        BASE, BASE + PATH + QUERY, "http://10.0.0.5:8000" + PATH + QUERY
    ),
    "%27 in the query": Case(BASE, BASE + PATH + "?a=It%27s", PATH + "?a=It%27s"),
    "%27 is not an apostrophe": Case(
        BASE, BASE + PATH + "?a=It's", PATH + "?a=It%27s", expected=403
    ),
    "%C3%A9 in the query": Case(BASE, BASE + PATH + "?a=caf%C3%A9", PATH + "?a=caf%C3%A9"),
    "%c3%a9 is not %C3%A9": Case(
        BASE, BASE + PATH + "?a=caf%C3%A9", PATH + "?a=caf%c3%a9", expected=403
    ),
    "é as bytes": Case(BASE, BASE + PATH + "?a=café", PATH + "?a=café"),
    "+ and %20 in the query": Case(BASE, BASE + PATH + "?a=b+c%20d", PATH + "?a=b+c%20d"),
    "+ is not %20": Case(BASE, BASE + PATH + "?a=b+c", PATH + "?a=b%20c", expected=403),
    "a changed message id": Case(BASE, BASE + PATH + QUERY, PATH + QUERY + "4", expected=403),
    "repeated parameters": Case(
        BASE, BASE + PATH + QUERY, form=[("A", "2"), ("A", "1"), ("A", "2"), ("AccountSid", "AC1")]
    ),
    "empty parameters": Case(BASE, BASE + PATH + QUERY, form=[("A", ""), ("B", ""), ("C", "c")]),
    "no parameters": Case(BASE, BASE + PATH + QUERY, form=[]),
    "spaces and plus signs": Case(
        BASE, BASE + PATH + QUERY, form=[(" a ", " +b+ "), ("c+d", "e f"), ("g", "\t\n")]
    ),
    "upper before lower case": Case(
        BASE, BASE + PATH + QUERY, form=[("b", "1"), ("B", "2"), ("a", "3"), ("é", "4"), ("_", "5")]
    ),
    "a parameter that Twilio adds tomorrow": Case(
        BASE, BASE + PATH + QUERY, form=[*FORM, ("RawDlrDoneDate", "2303222338"), ("New", "x")]
    ),
}


def _post(case: Case, form: FormItems, signature: str) -> int:
    app = signed_app(case.public_url, PATH, TOKEN)
    answer = post_raw(app, case.wire, form, signature=signature, host=case.host)
    return answer.status_code


@each("case", CASES.values(), ids=CASES.keys())
def test_a_signature_is_valid_for_exactly_the_public_url(case: Case) -> None:
    signature = RequestValidator(TOKEN).compute_signature(case.signed, MultiDict(case.form))
    assert _post(case, case.form, signature) == case.expected


@each(
    "form",
    [
        FORM[1:],
        [*FORM, ("Added", "")],
        [("AccountSid", "AC1"), ("From", "+1 202"), ("Body", "é & = %27  ")],
        [("AccountSid", "AC1"), ("From", "+1 202 "), ("Body", "é & = %27 +")],
        [("accountSid", "AC1"), *FORM[1:]],
    ],
)
def test_a_changed_form_is_refused(form: FormItems) -> None:
    case = CASES["https"]
    signature = RequestValidator(TOKEN).compute_signature(case.signed, MultiDict(FORM))
    assert _post(case, FORM, signature) == 204
    assert _post(case, form, signature) == 403


def test_the_order_of_the_form_does_not_matter() -> None:
    case = CASES["repeated parameters"]
    signature = RequestValidator(TOKEN).compute_signature(case.signed, MultiDict(case.form))
    assert _post(case, case.form[::-1], signature) == 204
