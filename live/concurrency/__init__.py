"""Sharing the event loop, the worker threads and work under way; knows no socket and no log."""
