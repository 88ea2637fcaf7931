"""Who is behind a connection, their rights, and their rate limits."""
