"""Fit of movie vectors: vocabularies of genres and tags, and the reduction of texts."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy import sparse
from sklearn.decomposition import TruncatedSVD
from threadpoolctl import threadpool_limits

from marquee.arrays import Ints
from marquee.domain.movies import Movie
from marquee.features.movie_text import MovieText, movie_terms
from marquee.features.movie_vector import MovieVectors

TEXT_WIDTH = 48
"""Columns of reduced texts, at most."""
_MIN_MOVIES = 3
"""Movies that a term needs."""
_COMMON = 0.3
"""Share of the movies from which on a term tells nothing of one."""
_MAX_TERMS = 20_000


def fit_movie_vectors(
    movies: Sequence[Movie], sums: Ints, seed: int, min_movies: int = 3
) -> MovieVectors:
    """Return the vectoriser of movies, with their texts if they have any.

    Args:
        movies: n movies.
        sums: int64 n × 3: ratings, positive ratings, half stars of each movie.
        seed: of the reduction of texts.
        min_movies: movies that a tag needs.
    """
    vectors = MovieVectors.fit(movies, sums, min_movies=min_movies)
    text = fit_movie_text(movies, seed)
    return vectors if text is None else replace(vectors, text=text)


def fit_movie_text(movies: Sequence[Movie], seed: int, width: int = TEXT_WIDTH) -> MovieText | None:
    """Return the encoder of texts, by a truncated SVD of TF-IDF; None where too few have any."""
    movies_with = Counter(
        term for movie in movies for counts in movie_terms(movie) for term in counts
    )
    telling = [term for term, n in movies_with.items() if _MIN_MOVIES <= n <= _COMMON * len(movies)]
    terms = sorted(sorted(telling, key=lambda term: (-movies_with[term], term))[:_MAX_TERMS])
    width = min(width, len(terms) - 1, len(movies) - 1)
    if width < 1:
        return None
    counts = np.array([movies_with[term] for term in terms])
    rarity = (np.log((1 + len(movies)) / (1 + counts)) + 1).astype(np.float32)
    text = MovieText(tuple(terms), rarity, np.zeros((len(terms), 0), np.float32))
    with threadpool_limits(1):  # equal sums on any number of cores
        svd = TruncatedSVD(width, random_state=seed).fit(_matrix(text, movies))
    return replace(text, components=np.ascontiguousarray(svd.components_.T, np.float32))


def _matrix(text: MovieText, movies: Sequence[Movie]) -> sparse.csr_matrix:
    """Return the TF-IDF of n movies, n × t."""
    rows = [text.weighted_terms(movie) for movie in movies]
    ends = np.cumsum([0, *(len(columns) for columns, _ in rows)])
    columns = np.concatenate([columns for columns, _ in rows])
    values = np.concatenate([values for _, values in rows])
    return sparse.csr_matrix((values, columns, ends), (len(movies), len(text.terms)))
