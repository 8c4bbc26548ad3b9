"""What messages are for: use cases with their sender pools, registrations and opt-outs."""
