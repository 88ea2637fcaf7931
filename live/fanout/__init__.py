"""Events in, notifications out: one hub for all connections of a process."""
