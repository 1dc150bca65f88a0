"""What the services of Marquee share: an event runtime and a recommender library."""
