"""The page of prices: what a segment to each country is estimated to cost."""

from marshmallow import post_load

from app.console.ui.guards import VIEWER, Pages
from app.console.ui.lists import searched
from app.console.ui.options import named_country_options
from app.console.ui.pages import page_answer
from app.db.engine import Database
from app.prices.store import load_prices
from app.users.current_user import CurrentUser
from app.web.fields import Country, StrictSchema
from app.web.registry import get_service
from app.web.routes import Answer

routes = Pages()
PRICES = "/console/prices"
_MOST = 500


class PriceSearch(StrictSchema):
    """Query of the page."""

    country = Country(load_default=None)

    @post_load
    def _make(self, data: dict[str, str | None], **_: object) -> tuple[str | None]:
        return (data["country"],)


@routes.get(PRICES, VIEWER)
def prices_page(current_user: CurrentUser) -> Answer:
    """List the price table of the installation."""
    form, wanted = searched(PriceSearch)
    country = wanted[0] if wanted else None
    with get_service(Database).reading() as connection:
        stored = load_prices(connection)
    rows = [row for row in stored.rows if country in {None, row.country}]
    return page_answer(
        current_user,
        "guards/prices.html",
        200 if wanted else 422,
        form=form,
        rows=rows[:_MOST],
        has_more=len(rows) > _MOST,
        has_prices=bool(stored.rows),
        countries=named_country_options("Any country"),
    )
