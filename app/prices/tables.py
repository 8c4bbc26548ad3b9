"""Tables of prices: one list of one currency, and its rows."""

from sqlalchemy import Column, Date, Integer, String

from app.db.types import UtcDateTime, add_table

# One row once prices were stored. Its revision grows with each change, so that a process can check
# whether the prices that it holds are the stored ones.
price_lists = add_table(
    "price_lists",
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("revision", Integer, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
)

# `mccmnc` is '' for the whole country; `price` is the decimal of one segment as it was given.
prices = add_table(
    "prices",
    Column("country", String(2), primary_key=True),
    Column("mccmnc", String(6), primary_key=True),
    Column("valid_from", Date, primary_key=True),
    Column("price", String(20), nullable=False),
)
