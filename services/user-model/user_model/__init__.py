"""User-model service: tastes of a user, from ratings and clusters."""
