"""Clients of the model services: HTTP client, circuit breaker, replies."""
