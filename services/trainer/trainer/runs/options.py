"""Options of a training: its stages, and the reason for its start."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TrainingOptions:
    """Options of one run: stages by name (empty: all that can run here), and whether to publish.

    The stages that a named stage needs run too, and so does `publish` if requested.
    """

    only: tuple[str, ...] = ()
    publish: bool = True
    reason: str = "by hand"
    training_id: str | None = None
    """None: the training gets a new id."""
    lock: int | None = None
    """File descriptor of the lock that the starter took for this training; None: take it."""
