"""Sending and tracking: the submission protocol, the lifecycle and what clients see (seed 004)."""
