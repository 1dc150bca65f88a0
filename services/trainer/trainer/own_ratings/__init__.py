"""A person's own ratings: their exports from film sites, matched with the catalogue, as events."""
