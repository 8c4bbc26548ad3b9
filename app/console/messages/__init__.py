"""Pages of messages and refusals."""
