"""Borderpost: a self-hosted SMS gateway over Twilio. Here the application is put together."""
