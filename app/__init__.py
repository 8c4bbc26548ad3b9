"""Borderpost, a self-hosted SMS gateway over Twilio."""
