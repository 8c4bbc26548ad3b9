"""The control API that steers an emulator."""
