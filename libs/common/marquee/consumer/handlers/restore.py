"""Restoration of a partition's facts from pieces of a snapshot."""

from marquee.consumer.unit_of_work import UnitOfWork
from marquee.snapshots.partition import PartitionSnapshot


def restore_movies(unit_of_work: UnitOfWork, piece: PartitionSnapshot) -> None:
    """Put the movies and the erasure list of a piece of a snapshot."""
    unit_of_work.offset = piece.position - 1
    for movie in piece.movies:
        unit_of_work.put_movie(movie)
    for movie_id in piece.removed:
        unit_of_work.remove_movie(movie_id)
    for digest, offset in piece.erased.items():
        unit_of_work.put_erasure(digest, offset)


def restore_facts(unit_of_work: UnitOfWork, piece: PartitionSnapshot) -> None:
    """Put the movies and users of a piece of a snapshot."""
    restore_movies(unit_of_work, piece)
    for user_id, ratings in (piece.users or {}).items():
        unit_of_work.put_ratings(user_id, ratings)
