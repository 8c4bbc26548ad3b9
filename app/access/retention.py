"""For how many days a new workspace keeps the bodies and the numbers of its messages."""

BODY_RETENTION_DAYS = 7
NUMBER_RETENTION_DAYS = 90
