"""User-model service: clusters, neighbours and segments of users, from their ratings."""
