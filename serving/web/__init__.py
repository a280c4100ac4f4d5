"""How the service is reached: routes, keys, documents and the server."""
