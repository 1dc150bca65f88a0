"""The read side of a model service: HTTP app, in-memory replica, update stream."""
