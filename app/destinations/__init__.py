"""Which countries a workspace may reach: the policy, its storage and its API (seed 001)."""
