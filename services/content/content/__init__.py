"""Content-based service: films like the ones a user liked."""
