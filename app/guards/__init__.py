"""Guards: limits that stop a flood or a spend before the provider is called."""
