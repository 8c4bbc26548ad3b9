"""The emulator stands alone."""

import subprocess
import sys


def test_it_imports_nothing_of_the_gateway_and_not_twilios_sdk() -> None:
    program = (
        "import sys, app.emulator.server;"
        "print([name for name in sys.modules if name.partition('.')[0] in ('app', 'twilio')"
        " and name != 'app' and not name.startswith('app.emulator')])"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
