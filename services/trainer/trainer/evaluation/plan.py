"""Plan of an evaluation: folds, slices, models and baselines."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from marquee.domain.models import MODEL_NAMES
from marquee.errors import InvalidInput
from trainer.evaluation.baselines.models import FAMILIES, BaselineFamily
from trainer.evaluation.served_models import DIVERSITIES, Fits
from trainer.evaluation.slices import CURVE, QUICK, SLICES, Slice
from trainer.evaluation.splits import FOLDS
from trainer.models.fitting import MODEL_FITS

Say = Callable[[str], None]

EXTRA_FOLDS = 2
"""Folds that the ablation and the comparison on validation users take."""


@dataclass(frozen=True)
class EvaluationPlan:
    """Plan of an evaluation: folds of users (of ten), slices, models, baselines, a cut by time."""

    folds: tuple[int, ...] = (0, 1)
    slices: tuple[Slice, ...] = SLICES
    models: tuple[str, ...] = MODEL_NAMES
    families: tuple[BaselineFamily, ...] = FAMILIES
    by_time: bool = True
    fits: Fits = field(default_factory=lambda: MODEL_FITS)
    extras: bool = False
    """Predicted ratings, cold movies, the ablation and validation users too."""
    curve: tuple[Slice, ...] = ()
    """Slices that only the models and popularity are measured on."""
    rating_splits: int = 0
    """Splits on which all kinds of predicted ratings are measured."""
    two_channel_ease: bool = False
    """Whether the baseline that sees low ratings is measured."""
    diversities: tuple[float, ...] = ()
    """Settings of diversity at which lists are measured, besides 0."""

    @classmethod
    def of(cls, folds: int, quick: bool, rating_splits: int = 0) -> "EvaluationPlan":
        """Return the plan of a command; a quick one has one fold, fewer sizes, no cut by time.

        Args:
            folds: Number of folds, 1 to 10, or 0 to measure predicted ratings alone.
            quick: Whether a first look is enough.
            rating_splits: Splits on which predicted ratings are measured.

        Raises:
            InvalidInput: The number of folds is out of range.
        """
        if not folds and rating_splits:
            return cls((), (), by_time=False, rating_splits=rating_splits)
        if quick:
            return cls(
                (0,), QUICK, by_time=False, rating_splits=rating_splits, two_channel_ease=True
            )
        if not 1 <= folds <= FOLDS:
            raise InvalidInput(f"folds: from 1 to {FOLDS}", "folds")
        return cls(
            tuple(range(folds)),
            extras=True,
            curve=CURVE,
            rating_splits=rating_splits,
            two_channel_ease=True,
            diversities=DIVERSITIES,
        )

    @property
    def extra_folds(self) -> tuple[int, ...]:
        """The folds of the ablation and of the comparison on validation users."""
        return self.folds[:EXTRA_FOLDS] if self.extras else ()

    @property
    def on_validation(self) -> "EvaluationPlan":
        """The same recommenders and slices, for validation users."""
        return replace(self, by_time=False, curve=(), diversities=(), extras=False)
