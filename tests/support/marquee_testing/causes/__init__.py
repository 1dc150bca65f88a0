"""Causes of failure, real servers that are brought into them, and the calls of the API in each."""
