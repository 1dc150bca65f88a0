"""One list for several viewers: average without misery.

Each viewer's own list ranks the films by preference; the films are ordered by the mean of the
viewers' ranks, a Borda count (J.-C. de Borda, 1781). A film that one of the viewers can be expected
to rate below a threshold does not count among them: "average without misery", as MusicFX chose
music for a gym (J. McCarthy and T. Anagnost, MusicFX: an arbiter of group preferences, CSCW 1998)
and as J. Masthoff compares it with nine other strategies (Group modeling: selecting a sequence of
television items to suit a group of viewers, UMUAI 14, 2004). The mean is of ranks rather than of
expected ratings, since a list by expected ratings alone is a poor one for a single viewer already.
Where too few films pass, those follow whose lowest rating is highest (least misery, as PolyLens:
M. O'Connor et al., ECSCW 2001).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from marquee.domain.ratings import Ratings, stars
from marquee.domain.recommendation import Reason, Scored


@dataclass(frozen=True)
class ExpectedRating:
    """A viewer's rating of a film in stars, expected or given; `confidence` in 0..1."""

    rating: float | None
    confidence: float = 0.0
    is_given: bool = False


@dataclass(frozen=True)
class Member:
    """One of the viewers.

    Attributes:
        facts: What is known of the viewer.
        ranked: The viewer's own list, best first.
    """

    facts: Ratings
    ranked: Sequence[Scored]


def borda(members: Sequence[Member]) -> dict[int, float]:
    """Return each film of the members' lists → the mean of its ranks, 1 for the first of all.

    A rank is counted from the end of the longest list, where films stand that a list does not have.
    A film that a member has rated stands for that member where the stars say.
    """
    longest = max((len(member.ranked) for member in members), default=0)
    counts: dict[int, float] = {}
    for member in members:
        points = {i.movie_id: 1 - rank / longest for rank, i in enumerate(member.ranked)}
        for movie_id, point in points.items():
            counts[movie_id] = counts.get(movie_id, 0.0) + point / len(members)
    for member in members:
        for movie_id in counts.keys() & member.facts.rated.keys():
            counts[movie_id] += (member.facts.rated[movie_id] - 1) / 9 / len(members)
    return counts


def best_first(counts: Mapping[int, float], n: int) -> list[int]:
    """Return the n films with the highest counts, ties by id."""
    return sorted(counts, key=lambda i: (-counts[i], i))[:n]


def without_misery(
    movie_ids: Iterable[int],
    ratings: Mapping[int, Sequence[ExpectedRating]],
    threshold: float,
) -> tuple[list[int], list[int]]:
    """Split films into those that nobody rates below a threshold, and the others.

    Args:
        movie_ids: Films, best first.
        ratings: Film → the rating of each member.
        threshold: Stars.

    Returns:
        The first in their order; the others by their lowest rating, highest first.
    """
    listed = list(movie_ids)
    least = {i: least_rating(ratings.get(i, ())) for i in listed}
    passing = [i for i in listed if (low := least[i]) is None or low >= threshold]
    others = sorted(set(listed).difference(passing), key=lambda i: (-(least[i] or 0.0), i))
    return passing, others


def least_rating(ratings: Iterable[ExpectedRating]) -> float | None:
    """Return the lowest rating in stars, None where none is known."""
    return min((r.rating for r in ratings if r.rating is not None), default=None)


def mean_rating(ratings: Iterable[ExpectedRating]) -> float | None:
    """Return the mean rating in stars, None where none is known."""
    known = [r.rating for r in ratings if r.rating is not None]
    return sum(known) / len(known) if known else None


def joined_facts(members: Sequence[Member], allow_seen: bool) -> Ratings:
    """Return what keeps films out of the list: what any member has seen or dismissed.

    Args:
        members: The viewers.
        allow_seen: Whether films that some have seen may come: then only what any has dismissed.
    """
    facts = Ratings()
    for member in members:
        facts.dismissed |= member.facts.dismissed
        if not allow_seen:
            facts.rated |= member.facts.rated
            facts.viewed |= member.facts.viewed
    return facts


def given_rating(facts: Ratings, movie_id: int) -> ExpectedRating | None:
    """Return the rating that a viewer has given a film, None without one."""
    half = facts.rated.get(movie_id)
    return None if half is None else ExpectedRating(stars(half), 1.0, True)


def scored(movie_ids: Iterable[int], counts: Mapping[int, float]) -> list[Scored]:
    """Return films as a list's items; the score is the mean preference."""
    return [Scored(i, counts[i], Reason.PREDICTED_FOR_YOU) for i in movie_ids]
