"""Classes of the models, imported from the services' packages when they are needed."""

import importlib
from typing import Any

from marquee.domain.models import MODEL_SPECS


def model_class(name: str) -> Any:
    """Return the class of a model; its `load` reads a bundle."""
    spec = MODEL_SPECS[name]
    return getattr(importlib.import_module(f"{spec.package}.model"), spec.model_class)
