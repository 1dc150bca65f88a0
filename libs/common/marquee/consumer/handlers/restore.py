"""Restore the facts of a partition from a piece of a snapshot."""

from marquee.consumer.unit_of_work import UnitOfWork
from marquee.snapshots.partition import PartitionSnapshot


def restore_movies(step: UnitOfWork, piece: PartitionSnapshot) -> None:
    """Put the movies of a piece of a snapshot, and the erasure list."""
    step.offset = piece.position - 1
    for movie in piece.movies:
        step.put_movie(movie)
    for movie_id in piece.removed:
        step.remove_movie(movie_id)
    for digest, offset in piece.erased.items():
        step.note_erased(digest, offset)


def restore_facts(step: UnitOfWork, piece: PartitionSnapshot) -> None:
    """Put the movies and users of a piece of a snapshot."""
    restore_movies(step, piece)
    for user_id, ratings in (piece.users or {}).items():
        step.put_ratings(user_id, ratings)
