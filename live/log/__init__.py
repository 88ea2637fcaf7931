"""The event log: appending to it, announcing that it grew, reading it."""
