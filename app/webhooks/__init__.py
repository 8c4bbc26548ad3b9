"""Webhooks to customers: endpoints, an outbox, signed deliveries with retries.

Messages and destinations write to the outbox in their own transactions.
"""
