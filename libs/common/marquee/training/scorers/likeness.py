"""Fit of likeness: reduced TF-IDF of content, weights of title words, and co-liking vectors.

Co-liking vectors are the principal components of users' ratings over movies, where a like counts 1
and another rating half, and long histories and popular movies are damped. Centring takes away what
is popular alone: it moves a movie's neighbours from the cosine of the users towards their lift.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from scipy import sparse

from marquee.arrays import Ints, Mask, Matrix, Reals, Vector, unit
from marquee.domain.movies import Movie
from marquee.features.interactions import RatingRows, split_users
from marquee.features.movie_vector import MovieVectors
from marquee.features.title_words import word_ids
from marquee.scoring.scorers.likeness import CoLikingPredictor, Likeness, weighted_content

_SEEN = 0.5
"""Weight of a rating that is no like: who rates a movie has chosen to see it."""
_USER_PRIOR, _USER_POWER = 20.0, 0.4
_MOVIE_PRIOR, _MOVIE_POWER = 5.0, 0.3
"""Ratings are divided by (weight of all + prior) ^ power, of their user and of their movie."""
_TRUST = 2.0
"""Weight of a movie's ratings at which half of its co-liking vector's squared length counts."""

_PRIOR_COHERENCE = 0.3
_PRIOR_PAIRS = 2
"""Coherence of a word of which nothing is known, and the pairs of movies that outweigh it."""
_OVERSAMPLING, _ITERATIONS = 16, 6
"""Further columns and passes of the randomised principal components."""
_COMMON = 0.6
"""Share of the mean product of any two movies that counts for no coherence."""
_CONTRAST = 2.5
"""Power of the coherence: what few movies share by chance is to weigh little."""
_COHERENT = 0.4
"""Coherence that the power leaves as it is."""
_LEAST = 0.01
"""Lower bound of the coherence and the rarity of a word."""


class LikenessConfig(BaseModel):
    """Widths of the parts of likeness vectors."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    co_liking: int = Field(56, ge=1)
    content: int = Field(40, ge=1)
    max_users: int = Field(20_000, ge=1)
    """With more users, a sample of them gives the co-liking vectors."""


@dataclass(frozen=True, eq=False)
class FittedLikeness:
    """A fitted encoder and what users and catalogue tell of n movies.

    Attributes:
        likeness: the encoder.
        co_liking: float32 n × f, co-liking vectors; zeros for movies that nobody rated.
        content: float32 n × e, unit content codes.
        titles: title blocks, n rows.
    """

    likeness: Likeness
    co_liking: Matrix
    content: Matrix
    titles: Matrix

    def rows(self, cold: Mask) -> Matrix:
        """Return the likeness rows of the n movies, predicted from content where `cold` holds."""
        co_liking = np.where(cold[:, None], np.float32(0), self.co_liking)
        rows = self.likeness.rows(co_liking, self.content, self.titles)
        predictor = CoLikingPredictor(self.likeness, rows[~cold])
        co_liking[cold] = predictor.predict(self.content[cold], self.titles[cold])
        return self.likeness.rows(co_liking, self.content, self.titles)


def fit_likeness(
    movies: Sequence[Movie],
    vectors: MovieVectors,
    matrix: Matrix,
    rows: RatingRows,
    config: LikenessConfig,
    seed: int,
) -> FittedLikeness:
    """Return the likeness fitted to the catalogue and its users.

    Args:
        movies: n movies.
        vectors: their vectoriser.
        matrix: float32 n × d, their vectors.
        rows: the users' ratings.
        config: widths.
        seed: of the sample of users.
    """
    co_liking = _co_liking(rows, len(movies), config, seed)
    scale = _inverse_frequencies(matrix[:, vectors.content], vectors)
    weighted = weighted_content(matrix, vectors.blocks, scale)
    components = _components(weighted, config.content)
    titles = [movie.title for movie in movies]
    words, weights = np.zeros(0, np.int64), np.zeros(0, np.float32)
    likeness = Likeness(scale, components, co_liking.shape[1], words, weights, new_word=1.0)
    content = likeness.content(matrix, vectors.blocks)
    if movies:
        described = likeness.rows(co_liking, content, likeness.titles(titles))
        vectors_of_all = likeness.layout.block(described, "vector")
        words, weights, new_word = _word_weights(titles, vectors_of_all)
        likeness = replace(likeness, words=words, word_weights=weights, new_word=new_word)
    return FittedLikeness(likeness, co_liking, content, likeness.titles(titles))


def _co_liking(rows: RatingRows, n_movies: int, config: LikenessConfig, seed: int) -> Matrix:
    """Return the co-liking vectors, n_movies × f; they are the shorter the fewer ratings tell."""
    if len(rows) > config.max_users:
        sample, _ = split_users(len(rows), 1 - config.max_users / len(rows), seed)
        rows = rows.of_users(sample)
    weights = np.where(rows.liked, 1.0, _SEEN)
    ratings = sparse.csr_matrix((weights, rows.movies, rows.starts), (len(rows), n_movies))
    per_movie = np.asarray(ratings.sum(axis=0)).ravel()
    trust = np.sqrt(per_movie / (per_movie + _TRUST))
    vectors: Matrix = unit(_components_of(ratings, config.co_liking, seed)) * trust[:, None]
    return vectors.astype(np.float32)


def _components_of(ratings: sparse.csr_matrix, f: int, seed: int) -> Matrix:
    """Return the movies' coordinates on at most f principal components of damped ratings."""
    users, movies = (np.asarray(ratings.sum(axis=axis)).ravel() for axis in (1, 0))
    damped = (
        sparse.diags((users + _USER_PRIOR) ** -_USER_POWER)
        @ ratings
        @ sparse.diags((movies + _MOVIE_PRIOR) ** -_MOVIE_POWER)
    ).tocsr()
    f = min(f, *damped.shape)
    if f < 1 or not damped.nnz:
        return np.zeros((damped.shape[1], 1), np.float32)
    return _principal_coordinates(damped, f, seed)


def _principal_coordinates(rows: sparse.csr_matrix, f: int, seed: int) -> Matrix:
    """Return the coordinates of the d columns of n × d rows on f principal components, d × f.

    By randomised subspace iteration (Halko, Martinsson and Tropp 2011), which never makes the
    centred rows: they have no zeros.
    """
    mean = np.asarray(rows.mean(axis=0))
    columns = rows.T.tocsr()
    width = min(f + _OVERSAMPLING, *rows.shape)
    basis = np.random.default_rng(seed).normal(size=(rows.shape[1], width))
    for _ in range(_ITERATIONS):
        basis, _ = np.linalg.qr(rows @ basis - mean @ basis)
        basis, _ = np.linalg.qr(columns @ basis - mean.T @ basis.sum(axis=0, keepdims=True))
    projected = rows @ basis - mean @ basis
    squares, axes = np.linalg.eigh(projected.T @ projected)
    lengths = np.sqrt(np.maximum(squares[::-1][:f], 0))
    coordinates: Matrix = (basis @ axes[:, ::-1][:, :f] * lengths).astype(np.float32)
    return coordinates


def _inverse_frequencies(content: Matrix, vectors: MovieVectors) -> Vector:
    """Return the factors of the columns of genres, year (1), tags and text (1), d."""
    frequencies = (content > 0).sum(axis=0)
    scale: Reals = np.log((len(content) + 1) / (frequencies + 1)) + 1e-3
    scale[vectors.blocks["year"]] = scale[vectors.blocks["text"]] = 1
    return scale.astype(np.float32)


def _components(weighted: Matrix, e: int) -> Matrix:
    """Return the first e principal axes of n × d rows about zero, e × d, by the Gram matrix."""
    rows = unit(weighted).astype(np.float64)
    _, axes = np.linalg.eigh(rows.T @ rows)
    components: Matrix = np.ascontiguousarray(axes[:, ::-1][:, :e].T, np.float32)
    return components


def _word_weights(titles: Sequence[str], vectors: Matrix) -> tuple[Ints, Vector, float]:
    """Return the ids of the words of n titles, ascending, and how much each tells of a series.

    The weight of a word is its inverse document frequency times a power of its coherence: the mean
    product of the vectors (n × width) of two movies that have it, less a share of the mean of all
    pairs. "Trek" is coherent, "dark" is not. The last value is the weight of a word of no title.
    """
    ids = np.stack([word_ids(title) for title in titles]).astype(np.int64)
    movies, slots = np.nonzero(ids)
    words, columns = np.unique(ids[movies, slots], return_inverse=True)
    has_word = sparse.csr_matrix((np.ones(len(movies)), (columns, movies)), (len(words), len(ids)))
    has_word.data[:] = 1
    counts = np.append(has_word.getnnz(axis=1), 0)
    sums = np.vstack([has_word @ vectors.astype(np.float64), np.zeros(vectors.shape[1])])
    every = _mean_product(vectors.sum(axis=0, dtype=np.float64)[None], np.array([len(ids)]))
    coherence = np.clip(_coherence(sums, counts) - _COMMON * every, _LEAST, 1)
    contrasted = _COHERENT * (coherence / _COHERENT) ** _CONTRAST
    weights = (contrasted * _rarity(counts, len(ids))).astype(np.float32)
    return words, weights[:-1], float(weights[-1])


def _coherence(sums: Reals, counts: Ints) -> Reals:
    """Return the mean products of pairs of movies by word, drawn towards what new words have."""
    pairs = counts * (counts - 1)
    total = _mean_product(sums, counts) * pairs
    coherence: Reals = (total + _PRIOR_PAIRS * _PRIOR_COHERENCE) / (pairs + _PRIOR_PAIRS)
    return coherence


def _mean_product(sums: Reals, counts: Ints) -> Reals:
    """Return the mean product of two different ones of `counts` unit vectors by their sums."""
    pairs = np.maximum(counts * (counts - 1), 1)
    products: Reals = np.maximum((sums**2).sum(axis=1) - counts, 0) / pairs
    return products


def _rarity(counts: Ints, n: int) -> Reals:
    """Return the inverse document frequencies of words of `counts` of n titles, up to 1."""
    rarity: Reals = np.log((n + 1) / (counts + 0.5)) / np.log(n + 2)
    return np.clip(rarity, _LEAST, 1)
