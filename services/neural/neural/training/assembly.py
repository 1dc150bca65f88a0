"""Assembly of the neural model from its fitted parts: rows of all movies, and the tables."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from marquee.arrays import Ints, Mask, Matrix, Reals, unit
from marquee.domain.movies import Movie
from marquee.features.content_embedding import ContentEmbedding
from marquee.features.interactions import RatingRows
from marquee.features.movie_table import MovieTable
from marquee.features.popularity import Popularity
from marquee.scoring.evidence_weights import OrderLikelihood
from marquee.scoring.ridge import fit_ridge
from marquee.scoring.scorers.als import AlsFactors
from marquee.scoring.scorers.autoencoder import Autoencoder
from marquee.scoring.scorers.linear_autoencoder import LinearAutoencoder
from marquee.training.content_embedding import fit_content_embedding
from marquee.training.movie_vectors import fit_movie_vectors
from marquee.training.pipeline import fit_pipeline
from marquee.training.scorers.als import fit_als
from marquee.training.scorers.autoencoder import encode, fit_over_movies, learned_movies
from marquee.training.scorers.linear_autoencoder import fit_linear_autoencoder
from marquee.training.scorers.user_clusters import fit_user_clusters
from neural.blend import NeuralBlend
from neural.model import Neural
from neural.movie_rows import NetworkMovieRows, NeuralRowLayout
from neural.signals import NeuralScorers
from neural.training.config import NeuralConfig
from neural.training.epochs import TrainedNetwork

_SERVED = ("viewers.", "films.new.", "joint.")
"""Weights that serving needs; what else the network learned is in the movies' rows."""

_VARIANCE_FLOOR = 0.02
_FOLDS = 5


@dataclass(frozen=True, eq=False)
class PreferenceFit:
    """Preference scorers fitted to `rows`, and rating sums (i × 3).

    `network` learns from random parts of histories, `first` from first ratings in time, `factors`
    are those of implicit ALS, and `long_history` are item weights.
    """

    rows: RatingRows
    network: Autoencoder
    first: Autoencoder
    factors: AlsFactors
    long_history: LinearAutoencoder
    sums: Ints

    def targets(self) -> Matrix:
        """Return the targets of a ridge from content: outputs, priors, factors, log popularity."""
        popularity = np.log1p(self.sums[:, 1:2])
        networks = (self.network, self.first)
        parts = [part for n in networks for part in (n.outputs, n.prior[:, None])]
        parts.append(self.factors.items)
        targets: Matrix = np.concatenate([*parts, popularity], axis=1, dtype=np.float32)
        return targets


def _layout(d: int, config: NeuralConfig, embedding: ContentEmbedding) -> NeuralRowLayout:
    widths = config.autoencoder.width, config.first_autoencoder.width
    return NeuralRowLayout(d, *widths, config.factors.factors, embedding.e)


@dataclass(frozen=True, eq=False)
class NeuralAssembly:
    """Fits the parts that preferences rest on, and puts models together, over fixed movies."""

    movies: Sequence[Movie]
    movie_rows: NetworkMovieRows
    config: NeuralConfig
    seed: int

    @classmethod
    def of(
        cls, movies: Sequence[Movie], rows: RatingRows, config: NeuralConfig, seed: int
    ) -> "NeuralAssembly":
        """Fit the pipeline of movie vectors; the ridge predicts nothing yet."""
        sums = rows.sums(len(movies))
        vectors = fit_movie_vectors(movies, sums, seed)
        matrix = vectors.matrix(movies, np.zeros_like(sums))
        raw = matrix[:, vectors.content]
        known = learned_movies(sums, config.min_ratings, config.autoencoder.head)
        embedding = fit_content_embedding(vectors, matrix, known, config.embedding, seed)
        pipeline, _ = fit_pipeline(
            raw, np.ones(raw.shape[1]), config.content, config.movie_clusters, seed, _VARIANCE_FLOOR
        )
        layout = _layout(config.network.d, config, embedding)
        targets = np.zeros((len(raw), layout.preference_width + 1), np.float32)
        ridge = fit_ridge(raw, targets, 1.0, np.zeros(len(raw)))
        movie_rows = NetworkMovieRows(vectors, pipeline, ridge, layout, embedding)
        return cls(movies, movie_rows, config, seed)

    def content(self) -> Matrix:
        """Return the encoded content of all movies, i × c."""
        return self.movie_rows.pipeline.encode(self.movie_rows.raw(self.movies))

    def fit_preferences(self, rows: RatingRows) -> PreferenceFit:
        """Fit autoencoders, factors and item weights to some ratings."""
        config, seed = self.config, self.seed
        sums = rows.sums(len(self.movies))
        network = fit_over_movies(rows, sums, config.min_ratings, config.autoencoder, seed)
        first = fit_over_movies(rows, sums, config.min_ratings, config.first_autoencoder, seed)
        factors = fit_als(rows, len(self.movies), config.factors, seed)
        long_history = fit_linear_autoencoder(rows, len(self.movies), config.many, seed)
        return PreferenceFit(rows, network, first, factors, long_history, sums)

    def assemble(self, preferences: PreferenceFit, trained: TrainedNetwork) -> Neural:
        """Return the model of these parts, with the default weights of the blend."""
        config, network = self.config, preferences.network
        raw = self.movie_rows.raw(self.movies)
        targets = preferences.targets()
        ridge = fit_ridge(raw, targets, config.cold_penalty, self.importance(preferences.sums))
        layout = replace(self.movie_rows.layout, d=trained.predictor.d)
        movie_rows = replace(self.movie_rows, ridge=ridge, layout=layout)
        weights = {n: w for n, w in trained.predictor.weights.items() if n.startswith(_SERVED)}
        served = replace(trained, predictor=replace(trained.predictor, weights=weights))
        vectors, clusters = self._rows(raw, preferences, served, movie_rows)
        codes = unit(encode(network, preferences.rows))
        return Neural(
            base=MovieTable.of(self.movies, vectors, clusters),
            base_sums=preferences.sums,
            movie_rows=movie_rows,
            predictor=served.predictor,
            scorers=NeuralScorers(
                layout,
                network,
                preferences.long_history,
                preferences.first,
                preferences.factors,
            ),
            kmeans=fit_user_clusters(codes, config.user_clusters, self.seed),
            blend=NeuralBlend(config.initial_weights(OrderLikelihood()), 0.0),
        )

    def _rows(
        self,
        raw: Matrix,
        preferences: PreferenceFit,
        trained: TrainedNetwork,
        movie_rows: NetworkMovieRows,
    ) -> tuple[Matrix, npt.NDArray[np.int16]]:
        """Return rows and clusters of all movies, rows predicted from content without ratings.

        The output of a movie with too few ratings for the autoencoder is predicted too, but not its
        priors and factor.
        """
        predicted, clusters = movie_rows.cold(raw, trained.predictor)
        sums, layout = preferences.sums, movie_rows.layout
        learned = preferences.targets()[:, :-1]
        few = self.importance(sums) == 0
        is_output = np.zeros(learned.shape[1], bool)
        is_output[: layout.width] = True
        is_output[layout.width + 1 :][: layout.first_width] = True
        preference = np.where(few[:, None] & is_output, layout.preference(predicted), learned)
        popularity = Popularity(sums)
        others = np.stack([popularity.mean, np.log1p(sums[:, 1]), np.zeros(len(raw))], axis=1)
        codes = movie_rows.codes(raw)
        rows = layout.join(trained.movies, preference, others.astype(np.float32), codes)
        layout.coldness(predicted)[:] = 0  # they were there to be rated: no newer than others
        return np.where((sums[:, :1] > 0), rows, predicted), clusters

    def importance(self, sums: Ints) -> Reals:
        """Return each movie's weight in the ridge; 0 where the autoencoder did not learn it."""
        learned = learned_movies(sums, self.config.min_ratings, self.config.autoencoder.head)
        return np.where(learned, np.sqrt(sums[:, 0]), 0.0)

    def hidden_rows(self, model: Neural) -> Matrix:
        """Return the row of each movie as if it were new, i × size.

        It is predicted by a ridge that the other four fifths of the movies teach.
        """
        movie_rows = model.movie_rows
        raw = movie_rows.raw(self.movies)
        content, codes = movie_rows.pipeline.encode(raw), movie_rows.codes(raw)
        vectors, layout = model.base.vectors, movie_rows.layout
        popularity = layout.popularity(vectors)
        targets = np.concatenate([layout.preference(vectors), popularity[:, None]], axis=1)
        importance = self.importance(model.base_sums)
        rows = np.zeros_like(vectors)
        for fold in range(_FOLDS):
            out: Mask = np.arange(len(self.movies)) % _FOLDS == fold
            if not out.any():
                continue
            ridge = fit_ridge(raw, targets, self.config.cold_penalty, np.where(out, 0, importance))
            predicted = ridge.apply(raw[out])
            rows[out] = movie_rows.cold_rows(content[out], predicted, codes[out], model.predictor)
        return rows
