"""Pages of use cases: what stops each from sending, and what it is set up with."""
