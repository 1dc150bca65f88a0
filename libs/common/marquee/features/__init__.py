"""Features of movies and users: tables, vectors, pipelines, popularity, interactions."""
