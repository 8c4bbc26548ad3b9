"""A Twilio emulator; it imports nothing of the gateway, to share none of its mistakes."""
