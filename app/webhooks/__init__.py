"""Webhooks to customers: endpoints, an outbox, signed deliveries with retries.

It knows neither messages nor destinations; they write to the outbox in their own transactions.
"""
