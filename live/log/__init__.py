"""The event log: what is appended, how processes are told, how it is read."""
