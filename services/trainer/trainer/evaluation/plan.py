"""What an evaluation measures: folds, slices, models, and what they are compared with."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from marquee.domain.models import MODEL_NAMES
from marquee.errors import InvalidInput
from trainer.evaluation.baselines.models import FAMILIES, BaselineFamily
from trainer.evaluation.served_models import DIVERSITIES, Fits
from trainer.evaluation.slices import CURVE, QUICK, SLICES, Slice
from trainer.evaluation.splits import FOLDS
from trainer.models.fits import FITS

Say = Callable[[str], None]

EXTRA_FOLDS = 2
"""Folds on which parts are left out, and on whose validation users all is measured as well."""


@dataclass(frozen=True)
class EvaluationPlan:
    """What is evaluated: folds of users (of ten), slices, models, baselines, and a cut by time."""

    folds: tuple[int, ...] = (0, 1)
    slices: tuple[Slice, ...] = SLICES
    models: tuple[str, ...] = MODEL_NAMES
    families: tuple[BaselineFamily, ...] = FAMILIES
    by_time: bool = True
    fits: Fits = field(default_factory=lambda: FITS)
    extras: bool = False
    """Predicted ratings, cold movies, the ablation and validation users too."""
    curve: tuple[Slice, ...] = ()
    """Slices that only the models and popularity are asked on."""
    rating_splits: int = 0
    """Splits on which predicted ratings are measured at length."""
    two_channel_ease: bool = False
    """Whether the rival that sees low ratings is asked."""
    diversities: tuple[float, ...] = ()
    """Settings of diversity that lists are measured at, beside 0."""

    @classmethod
    def of(cls, folds: int, quick: bool, rating_splits: int = 0) -> "EvaluationPlan":
        """Return the plan of so many folds; a quick one has one, fewer sizes, no cut by time.

        Without a fold only ratings are predicted.
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
    def trials(self) -> tuple[int, ...]:
        """The folds on which parts are left out and validation users are asked."""
        return self.folds[:EXTRA_FOLDS] if self.extras else ()

    @property
    def on_validation(self) -> "EvaluationPlan":
        """The same recommenders and slices, for validation users."""
        return replace(self, by_time=False, curve=(), diversities=(), extras=False)
