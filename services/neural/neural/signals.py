"""Signals of the neural model's blend, and the fitted scorers that they come from."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from marquee.arrays import Integer, Ints, Matrix, Vector, load_arrays, save_arrays
from marquee.domain.likes import is_like
from marquee.features.content_embedding import likeness
from marquee.features.popularity import Popularity
from marquee.features.shortlist import RowSelection
from marquee.scoring.scorers.als import AlsFactors
from marquee.scoring.scorers.autoencoder import Autoencoder
from marquee.scoring.scorers.linear_autoencoder import LinearAutoencoder
from marquee.scoring.scorers.preference import ALS_FLOOR, log_share
from marquee.scoring.scorers.recent_trend import RecentTrend, trend_signals
from neural.movie_rows import NeuralRowLayout

_FLOOR = 0.02
"""Added to scores of item weights before the log: near 0 they are noise."""
_NETWORKS_FILE = "autoencoder.npz"
_LONG_HISTORY_FILE = "many_ratings"


@dataclass(frozen=True, eq=False)
class NeuralScorers:
    """Scorers of what users like; a movie's row holds what they have learned of the movie.

    Attributes:
        layout: Layout of a movie's row.
        network: Autoencoder of random parts of histories (Liang et al. 2018, "Variational
            Autoencoders for Collaborative Filtering", here without the variational part).
        long_history: Item weights fitted to long histories.
        first_network: Autoencoder of first ratings in time; None in older bundles.
        factors: Of implicit ALS; None in older bundles.
        trend: Of recent popularity; None in older bundles and for data without usable times.
    """

    layout: NeuralRowLayout
    network: Autoencoder
    long_history: LinearAutoencoder
    first_network: Autoencoder | None = None
    factors: AlsFactors | None = None
    trend: RecentTrend | None = None

    def code(self, user_movies: Ints, half_stars: Integer) -> Vector:
        """Return the code (e) of a user from rows of base movies and half stars, n each."""
        return self.network.code(user_movies, is_like(half_stars))

    def signals(
        self,
        user_movies: Ints,
        half_stars: Integer,
        base: Matrix,
        chosen: RowSelection,
        popularity: Popularity | None,
    ) -> dict[str, Vector]:
        """Return log-likelihoods of a like by signal, each over the m chosen movies.

        Args:
            user_movies: Base rows of the movies that the user rated, n.
            half_stars: The ratings, n, in half stars.
            base: Rows of the base table, i × size.
            chosen: The movies to score.
            popularity: The live popularity; None: as at the training.
        """
        layout, rows = self.layout, chosen.vectors
        long_history = self.long_history.scores(user_movies, half_stars, chosen)
        signals = {
            "preference": layout.outputs(rows) @ self.code(user_movies, half_stars)
            + layout.prior(rows),
            "items": long_history,
            "popularity": self._log_popularity(chosen, popularity),
            **trend_signals(self.trend, chosen, popularity),
        }
        if self.first_network is not None:
            first_code = self.first_network.code(user_movies, is_like(half_stars))
            signals["first"] = layout.first_outputs(rows) @ first_code + layout.first_prior(rows)
        if self.factors is None:
            signals["many"] = log_share(long_history, _FLOOR)
        else:
            factor = self.factors.fold_in(layout.factor(base)[user_movies], half_stars)
            signals["als"] = log_share(layout.factor(rows) @ factor, ALS_FLOOR)
        if layout.codes:
            # Columns before rows: a row of a table that is stored by column lies all over it.
            liked = layout.code(base)[user_movies[is_like(half_stars)]]
            similarity = likeness(layout.code(rows), liked)
            signals["content"] = np.float32(np.log1p(len(user_movies))) * similarity
        return signals

    def _log_popularity(self, chosen: RowSelection, popularity: Popularity | None) -> Vector:
        """Return the log popularity; that of a movie without ratings does not fall by live ones."""
        at_training = self.layout.popularity(chosen.vectors)
        if popularity is None:
            return at_training
        live = popularity.popularity[chosen.rows].astype(np.float32)
        is_cold = self.layout.coldness(chosen.vectors) > 0
        log_popularity: Vector = np.where(is_cold, np.maximum(live, at_training), live)
        return log_popularity

    def save(self, directory: Path) -> None:
        """Write the files of the networks, factors, item weights and the trend."""
        networks = {"inputs": self.network.inputs, "bias": self.network.bias}
        if self.first_network is not None:
            networks["first_inputs"] = self.first_network.inputs
            networks["first_bias"] = self.first_network.bias
        save_arrays(directory / _NETWORKS_FILE, **networks)
        self.long_history.save(directory, _LONG_HISTORY_FILE)
        if self.factors is not None:
            self.factors.save(directory)
        if self.trend is not None:
            self.trend.save(directory)

    @classmethod
    def load(cls, directory: Path, d: int, rows: Matrix) -> "NeuralScorers":
        """Read what `save` wrote.

        Args:
            directory: Of the bundle.
            d: Length of the RatingPredictor's vectors, with which a movie's row begins.
            rows: The base table's rows, i × size.
        """
        stored, factors = load_arrays(directory / _NETWORKS_FILE), AlsFactors.load_if_any(directory)
        is_first_known = "first_inputs" in stored
        layout = NeuralRowLayout(
            d,
            len(stored["bias"]),
            len(stored["first_bias"]) if is_first_known else 0,
            0 if factors is None else factors.f,
        )
        layout = replace(layout, codes=rows.shape[1] - layout.columns.width)
        first = None
        if is_first_known:
            outputs, prior = layout.first_outputs(rows), layout.first_prior(rows)
            first = Autoencoder(stored["first_inputs"], stored["first_bias"], outputs, prior)
        return cls(
            layout,
            Autoencoder(stored["inputs"], stored["bias"], layout.outputs(rows), layout.prior(rows)),
            LinearAutoencoder.load(directory, _LONG_HISTORY_FILE),
            first,
            factors,
            RecentTrend.load(directory),
        )
