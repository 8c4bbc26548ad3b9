"""How a token looks, how a typing mistake is seen, and that only its hash is kept."""

import re
import string

from hypothesis import given, strategies as st
from sqlalchemy import text

from app.access.principal import Role, hash_token, is_well_formed, mint_token
from app.db.engine import Database
from app.db.types import metadata
from support.each import each
from support.factories import Factory

ALPHABET = string.digits + string.ascii_letters
# Made by hand from the rule: bp_, 32 characters, the CRC-32 of those in base 62.
KNOWN = "bp_0123456789ABCDEFGHIJKLMNOPQRSTUV1ggZdL"


def test_a_token_has_its_prefix_its_length_and_its_checksum() -> None:
    tokens = {mint_token() for _ in range(200)}
    assert len(tokens) == 200
    for token in tokens:
        assert re.fullmatch(r"bp_[0-9A-Za-z]{38}", token)
        assert is_well_formed(token)


def test_a_known_token_stays_well_formed() -> None:
    assert is_well_formed(KNOWN)
    assert hash_token(KNOWN) == "d91f1168ed2d2f7f6531467a5152e8433dc86ddb92b2e6434b3fee71f30b40d9"


@each(
    "text_",
    [
        "",
        "bp_",
        KNOWN[3:],
        KNOWN[:-1],
        KNOWN + "0",
        "BP_" + KNOWN[3:],
        "bp-" + KNOWN[3:],
        KNOWN + "\n",
        " " + KNOWN,
        KNOWN.swapcase(),
        KNOWN.replace("A", "\u0410"),
        KNOWN.replace("1", "\u0661"),
        KNOWN[:20] + "\x00" + KNOWN[21:],
    ],
)
def test_damaged_token_is_not_well_formed(text_: str) -> None:
    assert not is_well_formed(text_)


@given(st.integers(3, 40), st.sampled_from(ALPHABET))
def test_every_mistyped_character_is_seen(place: int, other: str) -> None:
    mistyped = KNOWN[:place] + other + KNOWN[place + 1 :]
    assert is_well_formed(mistyped) == (mistyped == KNOWN)


@given(st.integers(3, 39))
def test_every_pair_of_swapped_characters_is_seen(place: int) -> None:
    swapped = KNOWN[:place] + KNOWN[place + 1] + KNOWN[place] + KNOWN[place + 2 :]
    assert is_well_formed(swapped) == (swapped == KNOWN)


def test_only_the_hash_of_a_token_is_in_the_database(factory: Factory, database: Database) -> None:
    tokens = factory.tenant(factory.organization()).keys
    with database.reading() as c:
        everything = "\n".join(
            str(tuple(row))
            for table in metadata.sorted_tables
            for row in c.execute(text(f"SELECT * FROM {table.name}"))
        )
    for role in Role:
        token = tokens[role]
        assert hash_token(token) in everything
        assert token not in everything
        assert token[3:-6] not in everything
        assert token[3:20] not in everything
