"""What the services of Marquee share: an event runtime and a recommender library."""

__version__ = "0.1.0"
