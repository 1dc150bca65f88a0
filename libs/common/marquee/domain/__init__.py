"""Value types of the domain: movies, ratings, the recommendation request, the routing rule."""
