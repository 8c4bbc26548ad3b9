"""Twilio: its codes as tables, its calls, its signed callbacks."""
