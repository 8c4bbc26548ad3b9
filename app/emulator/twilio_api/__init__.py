"""The resources of Twilio's API that the emulator serves."""
