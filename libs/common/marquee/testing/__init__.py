"""What tests share: the contracts that every implementation keeps, and what they need."""

from marquee.testing.bus_contract import BusContract
from marquee.testing.datasets import POOR_DATA, checkerboard, sums_of_film
from marquee.testing.reading import (
    GROUP,
    KEYS,
    PARTITIONS,
    TOPIC,
    Reader,
    Restartable,
    killable,
    numbered,
    until,
)
from marquee.testing.recommender_contract import FittedModel, RecommenderContract

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
    "sums_of_film",
    "until",
]
