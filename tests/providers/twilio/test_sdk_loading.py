"""The SDK is loaded before the fork, not by the first send of each process."""

import subprocess
import sys

_COUNT = """
import sys
from app.providers.twilio.client import load_sdk
load_sdk()
from twilio.rest import Client
before = set(sys.modules)
messages = Client("AC" + "a" * 32, "b" * 32).messages
print(sorted(one for one in set(sys.modules) - before if one.startswith("twilio")))
"""


def test_the_first_send_of_a_process_loads_nothing_more() -> None:
    """Break: in `app/providers/twilio/client.py`, `load_sdk`, leave out the import."""
    run = subprocess.run([sys.executable, "-c", _COUNT], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"
