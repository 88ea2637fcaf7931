"""Who is behind a connection, what they may do, and how much they may ask for."""
