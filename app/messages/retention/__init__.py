"""Retention of messages."""
