"""Fit functions of the models, imported from the services when they are needed."""

import functools
import importlib
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel

from marquee.domain.models import MODEL_SPECS, ModelSpec


class FittedModel(Protocol):
    """A fitted model, which can be saved."""

    def save(self, directory: Path, /) -> None: ...


@dataclass(frozen=True)
class ModelFit:
    """The config and the fit function of a model.

    `epochs` returns the most epochs of a config; None if `fit` takes no `on_epoch(epoch, metrics)`.
    """

    config: type[BaseModel]
    fit: Callable[..., FittedModel]
    epochs: Callable[[Any], int] | None = None


def _load(spec: ModelSpec) -> ModelFit:
    module = importlib.import_module(f"{spec.package}.fit")
    epochs = _number_at(spec.epochs_key) if spec.epochs_key else None
    return ModelFit(getattr(module, spec.config_class), module.fit, epochs)


def _number_at(key: str) -> Callable[[Any], int]:
    """Return a function that returns the whole number at a dotted key of a config."""
    return lambda config: int(operator.attrgetter(key)(config))


MODEL_FITS: Mapping[str, Callable[[], ModelFit]] = {
    name: functools.partial(_load, spec) for name, spec in MODEL_SPECS.items()
}
"""Fits by model; a call imports the fit function and the libraries that it needs."""
