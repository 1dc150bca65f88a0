"""Content-based service: movies like the ones a user liked."""
