"""Protocols: which viewers are tested, what of their history is known, and what is wanted."""
