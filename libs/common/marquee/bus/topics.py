"""Creation of the topics of a system."""

from marquee.bus.api import Bus, dead_letter_topic
from marquee.events import MODELS, MOVIES, RATINGS


def create_topics(bus: Bus, partitions: int) -> None:
    """Create the topics of Marquee and their dead-letter topics, where they do not exist."""
    topics = {MOVIES: partitions, RATINGS: partitions, MODELS: 1}
    bus.create_topics(topics | {dead_letter_topic(topic): 1 for topic in topics})
