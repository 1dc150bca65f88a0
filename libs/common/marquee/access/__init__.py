"""Access: keys of callers with their scopes and limits, and the secret between services."""
