"""Sending and tracking messages."""
