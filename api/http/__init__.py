"""HTTP below the endpoints: the server, its connections, request ids, parameters and errors."""
