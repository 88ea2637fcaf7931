"""Sharing the event loop and worker threads. Imports nothing of sockets and the log."""
