"""Creation of the topics of a system."""

from marquee.bus.api import Bus, dead_letter_topic
from marquee.events import MODELS, MOVIES, RATINGS


def topic_partitions(partitions: int) -> dict[str, int]:
    """Return the number of partitions of each topic of Marquee, dead-letter topics included.

    Args:
        partitions: Partitions of `movies` and `ratings`.
    """
    topics = {MOVIES: partitions, RATINGS: partitions, MODELS: 1}
    return topics | {dead_letter_topic(topic): 1 for topic in topics}


def create_topics(bus: Bus, partitions: int) -> None:
    """Create the topics of Marquee and their dead-letter topics, where they do not exist."""
    bus.create_topics(topic_partitions(partitions))
