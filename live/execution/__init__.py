"""From a request's text to its result, the same for HTTP and for sockets."""
