"""The client and its calls."""
