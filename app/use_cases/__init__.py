"""Use cases: sender pools, registrations and opt-outs."""
