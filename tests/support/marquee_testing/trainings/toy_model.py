"""A model of one line, its stages of a training, and what they publish."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from marquee.bus.api import TopicPartition
from marquee.domain.movies import Movie
from marquee.errors import DataError
from marquee.events import MODELS, ModelPublished, decode
from marquee.features.dataset import Dataset, make_dataset
from marquee.settings import Settings
from marquee_testing.fakes.bus import MemoryBus
from trainer.history.history import History
from trainer.models.fitting import ModelFit
from trainer.runs.publishing import ModelPublisher
from trainer.runs.stages import Stage, model_stage, publish_stage


class ToyConfig(BaseModel):
    """Parameters of the toy model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: int = 3


class Toy:
    """A model whose one file holds what it was fitted with."""

    def __init__(self, text: str) -> None:
        self.text = text

    def save(self, directory: Path) -> None:
        (directory / "toy.txt").write_text(self.text)


def fit_toy(dataset: Dataset, config: ToyConfig, seed: int, on_epoch: Callable[..., None]) -> Toy:
    on_epoch(0, {"loss": 0.25})
    return Toy(f"{len(dataset)} ratings, size {config.size}, seed {seed}")


TOY_FIT = ModelFit(ToyConfig, fit_toy, lambda _config: 1)
TOY_METRICS = {"validation_loss": 0.25}
"""What its version has of the fit."""


def toy_stage(name: str) -> Stage:
    return model_stage(name, lambda: TOY_FIT)


def failing_stage(name: str) -> Stage:
    def fit(_dataset: Dataset, _config: ToyConfig, _seed: int) -> Toy:
        raise DataError("too few ratings")

    return model_stage(name, lambda: ModelFit(ToyConfig, fit))


def toy_settings(state: Path) -> Settings:
    """Return settings with a history of four ratings."""
    settings = Settings(state=state)
    movies = [Movie(movie_id=i, title=f"Film {i}") for i in (1, 2)]
    users, movie_ids = np.array([1, 1, 2, 3]), np.array([1, 2, 1, 2])
    dataset = make_dataset(users, movie_ids, np.array([8, 9, 3, 10], np.uint8), users * 10, movies)
    History(settings.history, settings.partitions).import_dataset(dataset)
    return settings


def publish_to(bus: MemoryBus) -> Stage:
    """Return the stage that publishes on a bus, and mirrors nothing."""
    return publish_stage(ModelPublisher(lambda _: bus, lambda _settings, _name: None))


def published(bus: MemoryBus) -> list[ModelPublished]:
    """Return what was published, the oldest first."""
    messages = bus.slice(TopicPartition(MODELS, 0), 0, 100)
    events = [decode(message.value) for message in messages]
    return [event for event in events if isinstance(event, ModelPublished)]
