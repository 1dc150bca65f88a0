"""Training of the neural model: contract, curve, artifacts; numpy computes what torch does."""

import io
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.trainer
torch = pytest.importorskip("torch")

from marquee.domain.recommendation import UserHistory  # noqa: E402
from marquee.errors import DataError  # noqa: E402
from marquee.features.dataset import Dataset  # noqa: E402
from marquee.features.interactions import RatingRows  # noqa: E402
from marquee.training.scorers.autoencoder import AutoencoderConfig  # noqa: E402
from marquee.training.scorers.linear_autoencoder import LinearAutoencoderConfig  # noqa: E402
from marquee_testing import POOR_DATA, RecommenderContract, checkerboard  # noqa: E402
from neural.fit import NeuralConfig, fit  # noqa: E402
from neural.model import Neural  # noqa: E402
from neural.rating_predictor import NetworkMovieVectors, RatingPredictor  # noqa: E402
from neural.training.batches import draw_batch  # noqa: E402
from neural.training.config import NetworkConfig  # noqa: E402
from neural.training.epochs import movie_vectors  # noqa: E402
from neural.training.network import RatingBatch, RatingNetwork  # noqa: E402
from neural.training.rating_statistics import fit_rating_statistics  # noqa: E402

SMALL = NeuralConfig(
    network=NetworkConfig(d=4, hidden=8, epochs=6, users_per_batch=8, embedding_pull=30.0),
    autoencoder=AutoencoderConfig(width=8, epochs=60, batch_size=16, dropout=0.1),
    many=LinearAutoencoderConfig(n=10_000, penalty=1.0, head=30, kept=30),
    content=4,
    movie_clusters=2,
    cold_penalty=1.0,
    long_history=8,
)


class TestNeural(RecommenderContract):
    @classmethod
    def fit(cls, dataset: Dataset, seed: int = 0) -> Neural:
        return fit(dataset, SMALL, seed)

    @pytest.mark.parametrize("dataset", ["one user", "no tags", "constant", "one film"])
    def test_poor_data_still_give_finite_answers(self, dataset: str) -> None:
        super().test_poor_data_still_give_finite_answers(dataset)
        model = self.fit(POOR_DATA[dataset]())
        stars, confidences = model.predict(UserHistory.of([(12, 4.0)]).rated, [10, 11, 12])
        assert np.isfinite(stars).all()
        assert ((confidences >= 0) & (confidences <= 1)).all()


@pytest.fixture(scope="module")
def curve() -> list[tuple[int, dict[str, float]]]:
    return []


@pytest.fixture(scope="module")
def model(curve: list[tuple[int, dict[str, float]]]) -> Neural:
    return fit(checkerboard(), SMALL, 0, lambda epoch, metrics: curve.append((epoch, metrics)))


def test_each_epoch_is_told(model: Neural, curve: list[tuple[int, dict[str, float]]]) -> None:
    assert isinstance(model, Neural)
    assert [epoch for epoch, _ in curve] == list(range(len(curve)))
    assert all(set(metrics) == {"loss", "rmse", "mae"} for _, metrics in curve)
    assert curve[-1][1]["rmse"] < curve[0][1]["rmse"]


def test_liked_kinds_are_predicted_higher(model: Neural) -> None:
    stars, _ = model.predict(UserHistory.of([(10, 5.0), (12, 5.0), (11, 1.0)]).rated, [14, 15])
    assert stars[0] > stars[1]


def test_who_knows_more_is_not_less_sure(model: Neural) -> None:
    few = model.confidence.of(np.log1p(1), np.log1p(np.array([0, 5])), 0.9)
    more = model.confidence.of(np.log1p(3), np.log1p(np.array([0, 5])), 0.9)
    assert (few <= more).all()
    assert few[0] <= few[1]
    assert (model.confidence.of(np.log1p(3), np.log1p(np.array([5])), 0.5) >= more[1]).all()


def test_each_prediction_says_how_sure_it_is(model: Neural) -> None:
    _, confidences = model.predict(UserHistory.of([(10, 5.0), (11, 1.0)]).rated, [14, 15])
    assert ((confidences > 0) & (confidences < 1)).all()


def test_confidence_is_saved_with_the_model(model: Neural, tmp_path: Path) -> None:
    model.save(tmp_path)
    assert Neural.load(tmp_path).confidence == model.confidence


def test_every_named_artifact_is_written_and_readable(model: Neural, tmp_path: Path) -> None:
    model.save(tmp_path)
    dataset = checkerboard()
    users = pickle.loads((tmp_path / "user_encoder.pkl").read_bytes())
    items = pickle.loads((tmp_path / "item_encoder.pkl").read_bytes())
    assert users == {int(u): i for i, u in enumerate(np.unique(dataset.user_ids))}
    assert items == {movie.movie_id: i for i, movie in enumerate(dataset.movies)}
    with np.load(tmp_path / "ratings_csr.npz") as ratings:
        assert ratings["starts"][-1] == len(dataset)
    with np.load(tmp_path / "user_content_vector.npz") as codes:
        assert codes["codes"].shape == (len(users), 8)
    with np.load(tmp_path / "model_movies_full_vectors_raw.npz") as raw:
        assert len(raw["vectors"]) == len(items)
    state = torch.load(
        io.BytesIO((tmp_path / "neural_model_best.pt").read_bytes()), weights_only=True
    )
    for name, weights in model.predictor.weights.items():
        assert np.array_equal(state[name].numpy(), weights)


def test_no_rating_is_refused_in_one_line() -> None:
    with pytest.raises(DataError, match="no ratings"):
        fit(POOR_DATA["unrated"](), SMALL, 0)


def small_network() -> tuple[RatingNetwork, RatingRows]:
    torch.manual_seed(1)
    rows = RatingRows.of(checkerboard())
    content = np.random.default_rng(0).normal(size=(24, 5)).astype(np.float32)
    network = RatingNetwork(rows, content, fit_rating_statistics(rows, 24), 4, 8, 0.2)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    network.eval()
    return network, rows


def whole_rows(rows: RatingRows, users: np.ndarray, own: float) -> RatingBatch:
    batch = draw_batch(
        rows,
        users,
        NetworkConfig(short_rows=0, cold_movies=0, unknown_movies=0),
        np.random.default_rng(0),
    )
    return replace(batch, own=torch.full_like(batch.own, own))


def test_numpy_predicts_what_torch_does() -> None:
    network, rows = small_network()
    statistics = fit_rating_statistics(rows, 24)
    weights = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    predictor = RatingPredictor(weights, statistics.mean)
    with torch.no_grad():
        expected = network(whole_rows(rows, np.array([3]), 0.0))[0].numpy()
        table = network.movie_table().numpy()
    movies, half_stars = rows.of_user(3)
    user = predictor.user(movies, (half_stars / 2).astype(np.float32), statistics.biases[movies])
    every = movie_vectors(table, statistics, weights["correction.weight"][:, 0])
    some = NetworkMovieVectors(
        every.vectors[movies],
        every.biases[movies],
        every.corrections[movies],
        every.log_counts[movies],
    )
    assert np.abs(predictor.predict(user, some) - expected).max() < 1e-4


def test_a_new_movie_is_to_numpy_what_it_is_to_torch() -> None:
    network, _ = small_network()
    weights = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    with torch.no_grad():
        expected = network.films.from_content(torch.arange(24)).numpy()
    vectors = RatingPredictor(weights, 3.5).movies(network.films.content.numpy())
    assert np.abs(vectors - expected).max() < 1e-4


def test_a_target_does_not_see_its_own_rating() -> None:
    """Leave-one-out is exact up to the other users' and movies' biases, which are held fixed."""
    network, rows = small_network()
    batch = whole_rows(rows, np.array([3]), 1.0)
    changed = batch.stars.clone()
    changed[0] = 0.5 if float(batch.stars[0]) > 2 else 5.0
    # The row's sum of the movie holds the rating as it was: move it along with the change.
    movie, user = int(batch.movies[0]), 3
    moved = float(changed[0] - batch.stars[0])
    with torch.no_grad():
        before = float(network(batch)[0][0])
        network._biases[movie] += moved / (float(network._counts[movie]) + 3)
        network._residuals[movie, user] += moved
        after = float(network(replace(batch, stars=changed))[0][0])
    assert after == pytest.approx(before, abs=1e-4)
