"""State of the gateway: profiles, rules, live view, publisher, consistency tokens."""
