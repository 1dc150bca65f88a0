"""How each model is fitted: the services' own fits, imported when they are called."""

import functools
import importlib
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel

from marquee.domain.models import MODEL_SPECS, ModelSpec


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


def _load(spec: ModelSpec) -> Fit:
    module = importlib.import_module(f"{spec.package}.fit")
    epochs = _number_at(spec.epochs_key) if spec.epochs_key else None
    return Fit(getattr(module, spec.config_class), module.fit, epochs)


def _number_at(key: str) -> Callable[[Any], int]:
    """Return a function that returns the whole number at a dotted key of a config."""
    return lambda config: int(operator.attrgetter(key)(config))


FITS: Mapping[str, Callable[[], Fit]] = {
    name: functools.partial(_load, spec) for name, spec in MODEL_SPECS.items()
}
"""By model; a call imports the service's fit and what it needs."""
