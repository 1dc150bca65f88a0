"""Context of a training: the inputs of its stages, and their results for later stages."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from marquee.errors import DataError
from marquee.features.dataset import Dataset
from marquee.settings import Settings
from trainer.models.parameters import TrainingParameters
from trainer.report.model import Report
from trainer.tracking.mlflow import NoTracking, Tracking

Progress = Callable[[str, float, str], None]
"""Called with a stage, the share of it that is done (0 to 1), and a few words."""


@dataclass
class TrainingContext:
    """One training under way: the input of its stages, and their results for later stages."""

    training_id: str
    settings: Settings
    parameters: TrainingParameters
    work: Path
    progress: Progress = lambda _stage, _done, _words: None
    tracking: Tracking = field(default_factory=NoTracking)
    code_version: str = "unknown"
    data: Dataset | None = None
    cut: dict[str, int] = field(default_factory=dict)
    bundles: dict[str, Path] = field(default_factory=dict)
    """Sealed bundles by model, in `work`."""
    curves: dict[str, list[Mapping[str, float]]] = field(default_factory=dict)
    """Metrics of each epoch of a fit, by model."""
    report: Report | None = None
    """Result of the evaluation."""
    versions: dict[str, str] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)

    @property
    def dataset(self) -> Dataset:
        """The data that models are fitted on.

        Raises:
            DataError: The stage `data` has not run.
        """
        if self.data is None:
            raise DataError("the stage data has not run")
        return self.data

    def tracked_stage(self, name: str, seconds: float, peak_mb: float) -> None:
        """Track the time and memory of a stage, and the versions of data and code."""
        tags = {"code_version": self.code_version}
        if self.data is not None:
            tags["data_version"] = self.data.version
        figures = {"seconds": round(seconds, 3), "peak_mib": round(peak_mb, 1)}
        self.tracking.stage(name, figures, tags)
