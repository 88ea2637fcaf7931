"""GraphQL over a WebSocket: both subprotocols, one client's session, its send queue."""
