"""A Twilio that runs here: what the gateway needs of it, without an account or a network.

It stands alone: nothing of the gateway is imported, so that it cannot share the gateway's mistakes.
"""

from app.emulator.accounts import Account
from app.emulator.application import create_emulator
from app.emulator.config import EmulatorConfig

__all__ = ["Account", "EmulatorConfig", "create_emulator"]
