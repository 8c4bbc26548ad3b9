"""The demo behind `make run`: a tenant, the emulator, the gateway, and a story told over HTTP."""
