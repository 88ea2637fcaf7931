"""Wardcast's example client: a command line program over one GraphQL WebSocket.

python -m example_client --help
"""
