"""How each model is fitted: the services' own fits, imported when they are called."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel


class Fitted(Protocol):
    """A model just fitted."""

    def save(self, directory: Path, /) -> None: ...


@dataclass(frozen=True)
class Fit:
    """How a service fits its model. `epochs` tells how many there are at most, by the config, where
    `fit` takes `on_epoch(epoch, metrics)`."""

    config: type[BaseModel]
    fit: Callable[..., Fitted]
    epochs: Callable[[Any], int] | None = None


def _content() -> Fit:
    from content.fit import ContentConfig, fit

    return Fit(ContentConfig, fit)


def _hybrid() -> Fit:
    from hybrid.fit import HybridConfig, fit

    return Fit(HybridConfig, fit)


def _user_model() -> Fit:
    from user_model.fit import UserModelConfig, fit

    return Fit(UserModelConfig, fit)


def _neural() -> Fit:
    from neural.fit import NeuralConfig, fit

    return Fit(NeuralConfig, fit, lambda config: int(config.network.epochs))


FITS: Mapping[str, Callable[[], Fit]] = {
    "content": _content,
    "hybrid": _hybrid,
    "user-model": _user_model,
    "neural": _neural,
}
"""By model; a call imports the service's fit and what it needs."""
