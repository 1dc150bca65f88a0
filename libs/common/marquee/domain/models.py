"""The models that are trained and served: one `ModelSpec` a model, from which all lists derive."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from marquee.domain.recommendation import Route


class Versioned(Protocol):
    """A fitted model that knows its version."""

    @property
    def version(self) -> str:
        """The version's name."""
        ...


@dataclass(frozen=True)
class ModelSpec:
    """Description of one model for the processes that train, publish, serve and check it."""

    name: str
    """Name of the service, the registry's folder, the Redis keys, the section of `params.yaml`."""
    routes: tuple[Route, ...]
    """Routes that the model answers."""
    model_class: str
    """Name of the model's class in `<package>.model`."""
    config_class: str
    """Name of the class of the fit's parameters in `<package>.fit`."""
    epochs_key: str = ""
    """Dotted key of the config with the most epochs, where the fit reports each; else empty."""
    derives_user_rows: bool = False
    """Whether the consumer keeps a row per user besides those of movies."""
    has_segments: bool = False
    """Whether the model groups movies and users into segments, as its config says."""
    folds_raters: bool = False
    """Whether the raters of a new movie add to its row."""
    needs_torch: bool = False
    """Whether the fit needs torch."""

    @property
    def package(self) -> str:
        """The Python package of the service; also leads its settings (`<package>_port`, `_url`)."""
        return self.name.replace("-", "_")


CONTENT = ModelSpec(
    "content",
    (Route.POPULAR, Route.SIMILAR),
    "Content",
    "ContentConfig",
)
HYBRID = ModelSpec("hybrid", (Route.HYBRID,), "Hybrid", "HybridConfig", folds_raters=True)
USER_MODEL = ModelSpec(
    "user-model",
    (Route.USER_CLUSTER,),
    "UserModel",
    "UserModelConfig",
    derives_user_rows=True,
    has_segments=True,
)
NEURAL = ModelSpec(
    "neural",
    (Route.NEURAL,),
    "Neural",
    "NeuralConfig",
    epochs_key="network.epochs",
    derives_user_rows=True,
    needs_torch=True,
)

MODEL_SPECS: Mapping[str, ModelSpec] = {
    spec.name: spec for spec in (CONTENT, HYBRID, USER_MODEL, NEURAL)
}
"""The models by name, in the order of training."""

MODEL_NAMES: tuple[str, ...] = tuple(MODEL_SPECS)

MODEL_BY_ROUTE: Mapping[Route, str] = {
    route: spec.name for spec in MODEL_SPECS.values() for route in spec.routes
}
"""Route → name of the model, and of the service, that answers it."""
