"""Plan of an evaluation: splits, slices, models and baselines."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from marquee.domain.models import MODEL_NAMES
from marquee.errors import InvalidInput
from marquee.features.dataset import Dataset
from marquee.features.time_order import unusable_times
from trainer.evaluation.baselines.families import FAMILIES, BaselineFamily
from trainer.evaluation.protocols.slices import QUICK, RANDOM, SLICES, Slice
from trainer.evaluation.protocols.splits import CUTS, FOLDS
from trainer.evaluation.served_models import DIVERSITIES, Fits
from trainer.models.fitting import MODEL_FITS
from trainer.report.model import Protocol

Say = Callable[[str], None]

EXTRA_FOLDS = 2
"""Folds that the ablation and the comparison on validation users take."""

_QUICK_CUT = (0.8,)


@dataclass(frozen=True)
class EvaluationPlan:
    """Plan of an evaluation: folds of users (of ten), slices, models, baselines, cuts by time.

    The slices say which protocols are measured: those after a cut on each of `cuts`, all others on
    each of `folds`.
    """

    folds: tuple[int, ...] = (0, 1)
    slices: tuple[Slice, ...] = SLICES
    models: tuple[str, ...] = MODEL_NAMES
    families: tuple[BaselineFamily, ...] = FAMILIES
    fits: Fits = field(default_factory=lambda: MODEL_FITS)
    cuts: tuple[float, ...] = CUTS
    extras: bool = False
    """Predicted ratings, cold movies, the ablation and validation users too."""
    rating_splits: int = 0
    """Splits on which all kinds of predicted ratings are measured."""
    diversity: float = 0.0
    """Setting of diversity of the lists: that of the system."""
    diversities: tuple[float, ...] = ()
    """Other settings of diversity at which lists are measured."""

    @classmethod
    def of(
        cls,
        folds: int,
        quick: bool,
        rating_splits: int = 0,
        protocols: Sequence[Protocol] = tuple(Protocol),
    ) -> "EvaluationPlan":
        """Return the plan of a command; a quick one has one fold and fewer sizes.

        Args:
            folds: Number of folds, 1 to 10, or 0 to measure predicted ratings alone.
            quick: Whether a first look is enough.
            rating_splits: Splits on which predicted ratings are measured.
            protocols: What is measured. A quick plan measures a cut only if nothing else is. The
                extras, which a full evaluation adds, need all protocols.

        Raises:
            InvalidInput: The number of folds is out of range.
        """
        if not folds and rating_splits:
            return cls((), (), rating_splits=rating_splits)
        slices = tuple(row for row in SLICES if row.protocol in protocols)
        if quick:
            chosen = tuple(row for row in QUICK if row in slices) or slices
            return cls((0,), chosen, cuts=_QUICK_CUT, rating_splits=rating_splits)
        if not 1 <= folds <= FOLDS:
            raise InvalidInput(f"folds: from 1 to {FOLDS}", "folds")
        is_full = set(protocols) == set(Protocol)
        return cls(
            tuple(range(folds)),
            slices,
            extras=is_full,
            rating_splits=rating_splits,
            diversities=DIVERSITIES if is_full else (),
        )

    def at(self, diversity: float) -> "EvaluationPlan":
        """Return the plan of a system with this setting of diversity."""
        others = tuple(setting for setting in self.diversities if setting != diversity)
        return replace(self, diversity=diversity, diversities=others)

    @property
    def fold_slices(self) -> tuple[Slice, ...]:
        """The slices of folds of users."""
        return tuple(row for row in self.slices if row.protocol is not Protocol.CUT)

    @property
    def cut_slices(self) -> tuple[Slice, ...]:
        """The slices of cuts by time."""
        return tuple(row for row in self.slices if row.protocol is Protocol.CUT)

    def usable(self, dataset: Dataset) -> tuple["EvaluationPlan", str]:
        """Return the plan for a data set, and why its times are unusable; empty where they are not.

        Without usable times it is one of random fold-ins alone.
        """
        random = tuple(row for row in self.slices if row.protocol is Protocol.RANDOM)
        reason = "" if random == self.slices else unusable_times(dataset)
        return (replace(self, slices=random or RANDOM), reason) if reason else (self, "")

    @property
    def extra_folds(self) -> tuple[int, ...]:
        """The folds of the ablation and of the comparison on validation users."""
        return self.folds[:EXTRA_FOLDS] if self.extras else ()

    @property
    def on_validation(self) -> "EvaluationPlan":
        """The same recommenders and slices, for validation users of folds."""
        return replace(self, slices=self.fold_slices, diversities=(), extras=False)
