"""A Twilio emulator; it imports nothing of the gateway, to share none of its mistakes."""

from app.emulator.accounts import Account
from app.emulator.application import create_emulator
from app.emulator.config import EmulatorConfig

__all__ = ["Account", "EmulatorConfig", "create_emulator"]
