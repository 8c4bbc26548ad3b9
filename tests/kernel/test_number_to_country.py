"""A number's region is its own, never its calling code's; and what a policy says of it.

The regions follow the numbering plans as libphonenumber knows them. Where a territory has no
numbers of its own for a kind (VA, SJ, AX, EH, MF and TA have no mobile numbers) its neighbour's
region is what the network serves, and so what the policy sees.
"""

from collections import defaultdict

import phonenumbers
from phonenumbers.phonenumberutil import COUNTRY_CODE_TO_REGION_CODE

from app.kernel.phone import resolve
from support.decisions import decision
from support.each import each

_TABLE = """
+12125550123     US allowed
+13105550123     US allowed
+19075550123     US allowed
+18085550123     US allowed
+12025550123     US allowed
+14155550123     US allowed
+18002345678     US allowed
+18332345678     US allowed
+15225550123     US allowed
+19002345678     US invalid
+14165550123     CA allowed
+16045550123     CA allowed
+19025550123     CA allowed
+18675550123     CA allowed
+15145550123     CA allowed
+12684641234     AG allowed
+12684601234     AG invalid
+12642351234     AI blocked
+16847331234     AS blocked
+12462501234     BB blocked
+12464123456     BB invalid
+14413701234     BM blocked
+14414123456     BM invalid
+12423591234     BS blocked
+12423456789     BS invalid
+17672251234     DM blocked
+18092345678     DO blocked
+18292345678     DO blocked
+18492345678     DO blocked
+14734031234     GD blocked
+14732691234     GD invalid
+16713001234     GU blocked
+18762101234     JM blocked
+16582101234     JM blocked
+18697652917     KN blocked
+13453231234     KY blocked
+13452221234     KY invalid
+17582845678     LC blocked
+16702345678     MP blocked
+16644923456     MS blocked
+17872345678     PR allowed
+19392345678     PR allowed
+17215205678     SX blocked
+17215425678     SX invalid
+16492311234     TC blocked
+18682911234     TT blocked
+17844301234     VC blocked
+12843001234     VG blocked
+13406421234     VI blocked
+79123456789     RU blocked
+79161234567     RU blocked
+79781234567     RU blocked
+74951234567     RU invalid
+78001234567     RU invalid
+77011234567     KZ allowed
+77471234567     KZ allowed
+77710009998     KZ allowed
+77172123456     KZ invalid
+447400123456    GB allowed
+447911223456    GB allowed
+445612345678    GB allowed
+442071234567    GB invalid
+448001234567    GB invalid
+449012345678    GB invalid
+447640123456    GB invalid
+447012345678    GB invalid
+443031231234    GB invalid
+447911123456    GG allowed
+447781123456    GG allowed
+447839123456    GG allowed
+441481256789    GG invalid
+447797712345    JE blocked
+447700312345    JE blocked
+447829712345    JE blocked
+447937712345    JE blocked
+441534456789    JE invalid
+447624123456    IM allowed
+447524123456    IM allowed
+441624756789    IM invalid
+393123456789    IT allowed
+393331234567    IT allowed
+390212345678    IT invalid
+39899123456     IT invalid
+390669812345    VA invalid
+4740612345      NO allowed
+4791234567      NO allowed
+4721234567      NO invalid
+4779123456      SJ invalid
+61412345678     AU allowed
+61481234567     AU allowed
+61212345678     AU invalid
+611300123456    AU invalid
+61163123456     AU invalid
+61891621234     CC invalid
+61891641234     CX invalid
+212650123456    MA allowed
+212712345678    MA allowed
+212520123456    MA invalid
+212528812345    MA invalid
+262692123456    RE allowed
+262262161234    RE invalid
+262639012345    YT blocked
+262269601234    YT invalid
+29051234        SH allowed
+29062345        SH allowed
+29022158        SH invalid
+2908999         TA invalid
+358412345678    FI allowed
+358457123456    FI allowed
+358131234567    FI invalid
+358181234567    AX invalid
+590690001234    GP allowed
+590691222345    GP allowed
+590590201234    GP invalid
+590590271234    BL invalid
+590590511234    BL invalid
+59995181234     CW allowed
+59996921234     CW allowed
+59994351234     CW invalid
+5993181234      BQ blocked
+5994161234      BQ blocked
+5997151234      BQ invalid
+919876543210    IN allowed
+5511961234567   BR blocked
+8613123456789   CN blocked
+972502345678    IL blocked
+970599123456    PS blocked
+886912345678    TW blocked
+85251234567     HK blocked
+85366123456     MO blocked
+38344123456     XK allowed
+24740123        AC allowed
+24762889        AC invalid
+989121234567    IR floor
+5351234567      CU floor
+8501921234567   KP floor
+963944567890    SY floor
"""
CASES = [tuple(line.split()) for line in _TABLE.strip().splitlines()]

_NOT_REAL = """
+12 +441 +12025550 +120255501234 +15555555555 +11234567890 +10000000000 +17105550123 +4470000
+99912345678 +2101234567 +61550123456 +4759123456 +8000 +88299 +88399999 +9791 +4420712345678
"""


def test_the_table_is_long_and_names_no_number_twice() -> None:
    assert len(CASES) >= 100
    assert len({number for number, _, _ in CASES}) == len(CASES)


@each(("number", "region", "wanted"), CASES, ids=[case[0] for case in CASES])
def test_region_and_decision_of_a_number(number: str, region: str, wanted: str) -> None:
    found = resolve(number)
    assert found.is_real
    assert found.country == region
    assert decision(number) == wanted


def test_every_region_of_every_shared_calling_code_is_in_the_table() -> None:
    tried: dict[int, set[str]] = defaultdict(set)
    for number, region, _ in CASES:
        tried[phonenumbers.parse(number).country_code or 0].add(region)
    shared = {code: set(of) for code, of in COUNTRY_CODE_TO_REGION_CODE.items() if len(of) > 1}
    assert shared.keys() <= tried.keys()
    # libphonenumber gives every number of these two to a region they share a code with.
    never_found = {"EH", "MF"}
    missing = {region for code, of in shared.items() for region in of - tried[code] - never_found}
    assert missing == set()


@each("number", _NOT_REAL.split())
def test_number_that_does_not_exist_is_invalid_under_every_policy(number: str) -> None:
    assert not resolve(number).is_real
    assert decision(number) == "invalid"
