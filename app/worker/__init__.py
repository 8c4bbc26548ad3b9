"""Background tasks: reconciliation, webhooks, retention."""
