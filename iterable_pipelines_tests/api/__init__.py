"""The HTTP client, against real sockets that misbehave as servers and proxies do."""
