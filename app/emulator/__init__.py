"""An emulator of the parts of Twilio that the gateway uses.

It imports nothing of the gateway, so that it cannot share the gateway's mistakes.
"""

from app.emulator.accounts import Account
from app.emulator.application import create_emulator
from app.emulator.config import EmulatorConfig

__all__ = ["Account", "EmulatorConfig", "create_emulator"]
