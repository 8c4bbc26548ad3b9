"""The Twilio adapter: calls, codes, signed callbacks."""
