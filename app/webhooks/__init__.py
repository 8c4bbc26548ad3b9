"""Telling customers' systems what happened: endpoints, an outbox, signed deliveries with retries.

Knows neither messages nor destinations: they write into the outbox, in their own transactions.
"""
