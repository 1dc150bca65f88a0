"""Shapes of what the API takes and gives: field types, requests, responses, and their making."""
