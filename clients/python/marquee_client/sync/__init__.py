# Made by `make clients` from marquee_client/aio; do not edit.
"""The client and its calls."""
