"""Connection to the brokers: addresses, security, and the faults of both in plain words."""
