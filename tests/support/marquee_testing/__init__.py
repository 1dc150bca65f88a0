"""The test kit: contracts of implementations, in-memory fakes, real servers, and simulation."""

from marquee_testing.contracts.bus import BusContract
from marquee_testing.contracts.recommender import FittedModel, RecommenderContract
from marquee_testing.datasets import POOR_DATA, checkerboard, sums_of_movie
from marquee_testing.servers.reader import (
    GROUP,
    KEYS,
    PARTITIONS,
    TOPIC,
    Reader,
    Restartable,
    killable,
    numbered,
)
from marquee_testing.waiting import until

__all__ = [
    "GROUP",
    "KEYS",
    "PARTITIONS",
    "POOR_DATA",
    "TOPIC",
    "BusContract",
    "FittedModel",
    "Reader",
    "RecommenderContract",
    "Restartable",
    "checkerboard",
    "killable",
    "numbered",
    "sums_of_movie",
    "until",
]
