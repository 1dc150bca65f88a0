"""The neural model as served, with weights made by hand: no training, no torch."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from marquee.domain.movies import Movie
from marquee.domain.ratings import RatedMovies
from marquee.domain.recommendation import Reason, UserHistory
from marquee.features.movie_table import MovieTable
from marquee.features.movie_vector import MovieVectors
from marquee.features.pipeline import Encoder, KMeans, Pipeline, Scaler
from marquee.features.popularity import Popularity
from marquee.features.shortlist import all_rows
from marquee.scoring.evidence_weights import EvidenceWeights
from marquee.scoring.ridge import Ridge
from marquee.scoring.scorers.als import AlsFactors
from marquee.scoring.scorers.autoencoder import Autoencoder
from marquee.scoring.scorers.linear_autoencoder import LinearAutoencoder
from marquee.scoring.scorers.recent_trend import TREND, RecentTrend
from neural.blend import NeuralBlend
from neural.confidence import Confidence
from neural.model import Neural
from neural.movie_rows import NetworkMovieRows, NeuralRowLayout
from neural.rating_predictor import NetworkMovieVectors, RatingPredictor, UserVector, gelu
from neural.signals import NeuralScorers

D, WIDTH = 2, 2
WEIGHTS = {"preference": 1.0, "many": 0.5, "popularity": 0.0}
CATALOGUE = [
    Movie(movie_id=10 + i, title=f"Film {i}", year=2000, genres=(("Action", "Romance")[i % 2],))
    for i in range(6)
]


def small_predictor() -> RatingPredictor:
    """Return a predictor whose layers say nothing: what is left is μ + biases + ⟨user, movie⟩."""

    def zeros(*shape: int) -> np.ndarray:
        return np.zeros(shape, np.float32)

    linear = zeros(D, 2 * D + 3)
    linear[:, :D] = np.eye(D)
    weights = {
        "viewers.value.weight": np.eye(D, dtype=np.float32)[np.arange(6) % 2],
        "viewers.seen.weight": zeros(6, D),
        "viewers.linear.weight": linear,
        "viewers.layers.0.weight": zeros(3, 2 * D + 3),
        "viewers.layers.0.bias": zeros(3),
        "viewers.layers.3.weight": zeros(D, 3),
        "viewers.layers.3.bias": zeros(D),
        "films.new.0.weight": zeros(3, 2),
        "films.new.0.bias": zeros(3),
        "films.new.3.weight": zeros(D, 3),
        "films.new.3.bias": np.array([0.25, 0.5], np.float32),
        "joint.0.weight": zeros(3, 3 * D + 6),
        "joint.0.bias": zeros(3),
        "joint.3.weight": zeros(1, 3),
        "joint.3.bias": zeros(1),
    }
    return RatingPredictor(weights, 3.5)


def small_model(factors: int = 0) -> Neural:
    """Return a model of two tastes: even movies and odd ones.

    Without factors it has the form of older bundles.
    """
    layout = NeuralRowLayout(D, WIDTH, factors=factors)
    kinds = np.eye(2, dtype=np.float32)[np.arange(6) % 2]
    ones = np.ones(6, np.float32)
    rated = NetworkMovieVectors(kinds, ones * 0.2, ones * 0.1, np.log1p(ones * 9))
    others = np.stack([ones * 3.7, np.log1p(np.arange(6.0)), ones * 0], axis=1)
    preference = np.hstack([kinds, ones[:, None] * 0, kinds[:, :factors]])
    no_codes = np.zeros((6, 0), np.float32)
    rows = layout.join(rated, preference, others.astype(np.float32), no_codes)
    vectors = MovieVectors.fit(CATALOGUE, np.zeros((6, 3), np.int64))
    d = vectors.content.stop
    components = np.zeros((2, d), np.float32)
    components[0, 0] = components[1, 14] = 1  # Action, Romance
    pipeline = Pipeline(
        Scaler(np.zeros(d, np.float32), np.ones(d, np.float32)),
        Encoder(np.zeros(d, np.float32), components),
        KMeans(np.eye(2, dtype=np.float32)),
    )
    content = np.zeros((d, WIDTH + 2 + factors), np.float32)
    content[0, 0] = content[14, 1] = 1
    ridge = Ridge(content, np.array([0, 0, 0.5, *[0] * factors, 1], np.float32))
    columns = np.array([[2, 4], [3, 5], [0, 4], [1, 5], [0, 2], [1, 3]], np.int32)
    values = np.tile(np.array([0.3, 0.1], np.float32), (6, 1))
    long_history = LinearAutoencoder(
        np.zeros(6, np.float32),
        np.arange(6, dtype=np.int32),
        np.stack([columns, columns]),
        np.stack([values, -values]),
    )
    als = AlsFactors(kinds[:, :factors], np.eye(factors), 5.0, 2.0, np.eye(factors))
    return Neural(
        MovieTable.of(CATALOGUE, rows, (np.arange(6) % 2).astype(np.int16)),
        np.tile(np.array([[9, 5, 60]]), (6, 1)),
        NetworkMovieRows(vectors, pipeline, ridge, layout),
        small_predictor(),
        NeuralScorers(
            layout,
            Autoencoder(np.concatenate([kinds, -kinds]), np.zeros(2, np.float32), kinds, ones * 0),
            long_history,
            factors=als if factors else None,
        ),
        KMeans(np.eye(2, dtype=np.float32)),
        NeuralBlend(EvidenceWeights.constant(WEIGHTS), 0.5, 0.01),
        Confidence(0.1, 0.2, 0.3, -0.4),
    )


@pytest.fixture
def model() -> Neural:
    return small_model()


def rated(*ratings: tuple[int, float]) -> RatedMovies:
    return UserHistory.of(ratings).rated


def test_the_movie_s_mean_answers_where_nothing_is_rated(model: Neural) -> None:
    stars, confidences = model.predict(rated(), [10, 11, 999])
    assert stars == pytest.approx([3.7, 3.7, 3.5])
    assert confidences.tolist() == [0, 0, 0]


def test_a_rating_is_mean_and_biases_and_product(model: Neural) -> None:
    stars, confidences = model.predict(rated((10, 4.5)), [12, 13])
    rest = 4.5 - 3.5 - 0.2
    bias = rest / 6
    plain = 3.5 + bias + 0.2 + 0.1
    assert stars == pytest.approx([plain + (rest - bias) / np.sqrt(2), plain], abs=1e-5)
    spread = np.sqrt(((rest - bias) ** 2 + 5) / 6)
    sure = 1 / (1 + np.exp(-(0.1 + 0.2 * np.log(2) + 0.3 * np.log(10) - 0.4 * np.log(spread))))
    assert confidences == pytest.approx([sure, sure], abs=1e-5)


def test_predictions_stay_within_the_stars(model: Neural) -> None:
    huge = replace(model, predictor=replace(model.predictor, mean=40.0))
    stars, _ = huge.predict(rated((10, 5.0)), [11, 12])
    assert stars.tolist() == [5.0, 5.0]
    tiny = replace(model, predictor=replace(model.predictor, mean=-40.0))
    assert tiny.predict(rated((10, 0.5)), [12])[0].tolist() == [0.5]


def test_the_joint_layers_see_vectors_product_and_numbers() -> None:
    rng = np.random.default_rng(0)
    predictor = small_predictor()
    first = rng.normal(size=(3, 12)).astype(np.float32)
    last = rng.normal(size=(1, 3)).astype(np.float32)
    weights = {**predictor.weights, "joint.0.weight": first, "joint.3.weight": last}
    z = UserVector(np.array([0.3, -0.2], np.float32), 0.4, 1.5, 0.9)
    q = np.array([[0.5, 0.7]], np.float32)
    movie = NetworkMovieVectors(q, *(np.array([x], np.float32) for x in (0.2, 0.1, 2.0)))
    row = np.concatenate([z.vector, q[0], z.vector * q[0], [0.4, 0.2, 1.5, 2.0, 0.9, 0.08]])
    expected = 3.5 + 0.4 + 0.2 + 0.1 + z.vector @ q[0] + last[0] @ gelu(first @ row)
    assert RatingPredictor(weights, 3.5).predict(z, movie)[0] == pytest.approx(expected, abs=1e-5)


def test_preference_ranks_and_names_the_movies_it_rests_on(model: Neural) -> None:
    movies = model.movies()
    mask = ~np.isin(movies.movie_ids, [10, 11])
    answer = model.recommend(UserHistory.of([(10, 5.0), (11, 1.0)]), movies, mask, 2)
    assert {scored.movie_id for scored in answer} == {12, 14}
    for scored in answer:
        assert scored.reason is Reason.PREDICTED_FOR_YOU
        assert scored.because == ((10, 1.0),)


def test_the_predicted_rating_weighs_little_but_decides_a_tie(model: Neural) -> None:
    better = model.base.vectors.copy()
    biases = model.movie_rows.layout.rating_inputs(better).biases
    biases[3] += 1.0  # movie 13: a higher bias, of the taste that the user has not
    biases[4] += 0.5  # movie 14: a higher bias, of the user's taste
    long_history = model.scorers.long_history
    long_history = replace(long_history, values=np.zeros_like(long_history.values))
    base = MovieTable.of(CATALOGUE, better, model.base.clusters)
    scorers = replace(model.scorers, long_history=long_history)
    changed = replace(model, base=base, scorers=scorers)
    mask = ~np.isin(base.movie_ids, [10])
    answer = changed.recommend(UserHistory.of([(10, 5.0)]), changed.movies(), mask, 5)
    assert [scored.movie_id for scored in answer][:2] == [14, 12]


def test_a_new_movie_passes_scaler_encoder_and_kmeans(model: Neural) -> None:
    movie = Movie(movie_id=500, title="New", year=2024, genres=("Romance",))
    row, cluster = model.row(movie, (0, 0, 0))
    assert cluster == 1
    layout = model.movie_rows.layout
    assert layout.outputs(row[None])[0].tolist() == [0, 1]
    assert layout.rating_inputs(row[None]).vectors[0].tolist() == [0.25, 0.5]
    assert row[-1] == 1
    movies = model.movies()
    movies.put(500, (), 2024, row, cluster)
    answer = model.recommend(UserHistory.of([(11, 5.0)]), movies, movies.movie_ids != 11, 3)
    assert 500 in [scored.movie_id for scored in answer]
    assert 0.5 <= model.predict(rated((11, 5.0)), [500], movies)[0][0] <= 5


def test_a_rated_movie_keeps_what_its_ratings_taught(model: Neural) -> None:
    row, cluster = model.row(CATALOGUE[3], model.sums(13))
    assert np.array_equal(row, model.base.vectors[3])
    assert cluster == 1
    assert model.sums(13) == (9, 5, 60)
    assert model.sums(999) == (0, 0, 0)


def test_a_user_s_cluster_follows_their_taste(model: Neural) -> None:
    even, cluster = model.encode(rated((10, 5.0), (12, 4.0)))
    assert cluster == 0
    assert even[0] > 0.8
    assert model.encode(rated((11, 5.0)))[1] == 1
    assert model.encode(rated((10, 1.0), (11, 5.0)))[1] == 1


def test_what_was_saved_answers_the_same(model: Neural, tmp_path: Path) -> None:
    model.save(tmp_path)
    again = Neural.load(tmp_path)
    user, movies = UserHistory.of([(10, 5.0), (13, 2.0)]), model.movies()
    mask = ~np.isin(movies.movie_ids, [10, 13])
    assert again.recommend(user, again.movies(), mask, 4) == model.recommend(user, movies, mask, 4)
    for ours, theirs in zip(
        model.predict(user.rated, [11, 12]), again.predict(user.rated, [11, 12]), strict=True
    ):
        assert np.array_equal(ours, theirs)


def signals(model: Neural, popularity: Popularity | None = None) -> dict[str, np.ndarray]:
    """Return the signals of all movies for a user who likes movie 10."""
    return model.signals(np.array([0]), np.array([10]), all_rows(model.base.vectors), popularity)


def test_a_bundle_without_factors_and_trend_is_served_by_its_own_signals(
    model: Neural, tmp_path: Path
) -> None:
    model.save(tmp_path)
    assert not {"item_factors.npz", "trend.npz"} & {path.name for path in tmp_path.iterdir()}
    again = Neural.load(tmp_path)
    assert again.half_life is None
    assert (again.scorers.factors, again.scorers.first_network) == (None, None)
    assert set(signals(again)) == {"preference", "items", "popularity", "many"}
    weights = EvidenceWeights.constant({"many": 1.0})
    by_item_weights = replace(again, blend=NeuralBlend(weights, 0.0))
    movies = again.movies()
    answer = by_item_weights.recommend(UserHistory.of([(10, 5.0)]), movies, movies.alive, 6)
    assert [scored.movie_id for scored in answer][:2] == [12, 14]
    assert answer[0].score > answer[1].score > answer[2].score


def test_factors_and_trend_are_saved_with_the_model(tmp_path: Path) -> None:
    trend = RecentTrend(90.0, np.arange(6, dtype=np.float32))
    model = small_model(factors=2)
    model = replace(model, scorers=replace(model.scorers, trend=trend))
    model.save(tmp_path)
    again = Neural.load(tmp_path)
    assert again.half_life == 90.0
    ours, theirs = signals(model), signals(again)
    assert set(ours) == {"preference", "items", "popularity", "als", TREND}
    assert {name: of.tolist() for name, of in ours.items()} == {
        name: of.tolist() for name, of in theirs.items()
    }
    assert theirs["als"][[2, 4]].min() > theirs["als"][[1, 3, 5]].max()
    assert theirs[TREND].tolist() == list(range(6))
    live = Popularity(again.base_sums, np.array([0.0, 0, 0, 90, 0, 0]))
    assert int(np.argmax(signals(again, live)[TREND])) == 3


def test_a_list_longer_than_the_pool_begins_with_the_shorter_one(
    model: Neural, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many movies are asked for, as many are put in order by their predicted ratings."""
    monkeypatch.setattr("neural.model.POOL", 3)
    rows = model.base.vectors.copy()
    biases = model.movie_rows.layout.rating_inputs(rows).biases
    biases += np.array([0, 3, 1, 2, 5, 4], np.float32)  # they rank by ratings
    changed = replace(
        model, base=MovieTable.of(CATALOGUE, rows, model.base.clusters),
        blend=replace(model.blend, rating_weight=9.0),
    )  # fmt: skip
    user, movies = UserHistory.of([(10, 5.0)]), changed.movies()
    mask = movies.movie_ids != 10
    longer = [scored.movie_id for scored in changed.recommend(user, movies, mask, 5)]
    shorter = [scored.movie_id for scored in changed.recommend(user, movies, mask, 2)]
    assert longer[:2] == shorter
    assert sorted(longer) == [11, 12, 13, 14, 15]
