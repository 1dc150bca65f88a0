"""Gateway: one public HTTP address in front of the model services."""
