"""Webhooks to customers: endpoints, an outbox, signed deliveries with retries."""
