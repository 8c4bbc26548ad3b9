"""Status callbacks and inbound webhooks."""
