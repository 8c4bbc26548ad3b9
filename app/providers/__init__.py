"""Adapters to SMS providers; deleting one leaves the rest of the program importable."""
