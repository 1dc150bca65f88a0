"""Event handlers: how each event changes the facts of a partition."""
