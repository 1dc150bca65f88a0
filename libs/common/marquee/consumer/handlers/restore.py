"""Restore the facts of a partition from a piece of a snapshot."""

from marquee.consumer.unit_of_work import Step
from marquee.snapshots.partition import PartitionSnapshot


def restore_films(step: Step, piece: PartitionSnapshot) -> None:
    """Put the films of a piece of a snapshot, and the erasure list."""
    step.offset = piece.position - 1
    for film in piece.films:
        step.put_film(film)
    for movie_id in piece.removed:
        step.remove_film(movie_id)
    for digest, offset in piece.erased.items():
        step.note_erased(digest, offset)


def restore_facts(step: Step, piece: PartitionSnapshot) -> None:
    """Put the films and viewers of a piece of a snapshot."""
    restore_films(step, piece)
    for user_id, ratings in (piece.viewers or {}).items():
        step.put_ratings(user_id, ratings)
