"""Pages of webhook endpoints: their health, their secrets, what was delivered to them."""
