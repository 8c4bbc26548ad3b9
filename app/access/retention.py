"""Default retention of message bodies and numbers, in days."""

BODY_RETENTION_DAYS = 7
NUMBER_RETENTION_DAYS = 90
