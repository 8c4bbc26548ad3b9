"""The demo of `make run`: a tenant, the emulator, the gateway, and requests over HTTP."""
