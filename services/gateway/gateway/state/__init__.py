"""What the gateway knows of users and rules: profiles, rules, live view, publisher, tokens."""
