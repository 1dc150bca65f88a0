"""ALS factor of a new movie: predicted from content, then refined by its raters."""

from collections.abc import Iterable

import numpy as np
import pytest

from hybrid.als_fold_in import MAX_RATERS, RaterEquations, derive_parts, raters_of, refine_factor
from hybrid.consumer import HANDLERS
from hybrid.fit import HybridConfig, fit
from hybrid.model import Hybrid
from marquee.arrays import unit
from marquee.bus.api import TopicPartition
from marquee.consumer.unit_of_work import UnitOfWork
from marquee.domain.movies import Movie
from marquee.events import RATINGS, Event, RatingAdded, RatingRemoved, UserErased
from marquee.features.movie_table import MovieTable
from marquee.scoring.cold_start import with_prior_popularity
from marquee.scoring.scorers.als import AlsFactors
from marquee.serving.movie_rows import MovieTableWriter
from marquee.store.codec import DerivedMovieRow
from marquee.store.keys import PartitionKeys
from marquee_testing import checkerboard
from marquee_testing.fakes.store import MemoryStore
from marquee_testing.small_fits import SMALL_TASTE

NEW = Movie(movie_id=999, title="New", year=2000, genres=("Comedy",))
KEYS = PartitionKeys("ns:hybrid", TopicPartition(RATINGS, 0))
CONFIG = HybridConfig(taste=SMALL_TASTE, dimensions=6, clusters=4, new_movie_penalty=1.0)


@pytest.fixture(scope="module")
def hybrid() -> Hybrid:
    return fit(checkerboard(), CONFIG, 0)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def rate(user_id: int, movie_id: int, rating: float) -> Event:
    data = {"user_id": user_id, "movie_id": movie_id, "rating": rating}
    return RatingAdded.model_validate({"data": data})


def unrate(user_id: int, movie_id: int) -> Event:
    return RatingRemoved.model_validate({"data": {"user_id": user_id, "movie_id": movie_id}})


def handle(store: MemoryStore, model: Hybrid, events: Iterable[Event]) -> None:
    position = store.position(KEYS) or 0
    for event in events:
        step = UnitOfWork(KEYS, store)
        HANDLERS[type(event)](step, event)
        derive_parts(step, model)
        held = store.position(KEYS)
        commands = step.commands(position, position + 1, model.version)
        store.write(KEYS, held, position + 1, commands)
        position += 1


def part(store: MemoryStore, model: Hybrid, movie_id: int = NEW.movie_id) -> bytes:
    return store.scan(KEYS.rows(model.version)).get(f"part:{movie_id}".encode(), b"")


def row_of(model: Hybrid, movie: Movie) -> DerivedMovieRow:
    vector, cluster = model.row(movie, (0, 0, 0))
    return DerivedMovieRow(movie.genres, movie.year or 0, cluster, vector)


def test_a_part_survives_packing() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((3, 5))
    one = RaterEquations((7, 2**40, 9), x.T @ x, rng.standard_normal(5))
    again = RaterEquations.unpack(one.pack())
    assert again.raters == one.raters
    np.testing.assert_allclose(again.matrix, one.matrix, atol=1e-5)
    np.testing.assert_allclose(again.right, one.right, atol=1e-5)
    assert raters_of(one.pack()) == one.raters


def test_without_raters_a_factor_stays_as_predicted(hybrid: Hybrid) -> None:
    factor = row_of(hybrid, NEW).vector[:4]
    assert refine_factor(hybrid, factor, []) is factor
    assert refine_factor(hybrid, factor, [b""]) is factor


def test_many_raters_outweigh_the_prediction() -> None:
    rng = np.random.default_rng(0)
    users = rng.standard_normal((200, 3)).astype(np.float32)
    true = np.array([1.0, -1.0, 0.5])
    gram = users.T.astype(np.float64) @ users
    factors = AlsFactors(np.zeros((0, 3), np.float32), gram, 8.0, 8.0, gram, 0.3)
    likes = users @ true > 0
    far = -true.astype(np.float32)
    equations = factors.equations(users, np.where(likes, 10, 2))
    near, all_of_them = factors.equations(users[:2], np.where(likes[:2], 10, 2)), equations

    def right_side(factor: np.ndarray) -> float:
        return float(np.mean((users @ factor > users.mean(0) @ factor) == likes))

    assert right_side(far) < right_side(factors.refine(far, *near)) + 1e-9
    assert right_side(factors.refine(far, *all_of_them)) > 0.8


def test_those_who_like_the_movie_score_it_higher_than_its_content_would(
    hybrid: Hybrid, store: MemoryStore
) -> None:
    odd = [11, 13, 15, 17]
    events = [rate(user_id, i, 5.0) for user_id in range(1, 7) for i in (*odd, NEW.movie_id)]
    handle(store, hybrid, events)
    before = row_of(hybrid, NEW)
    after = hybrid.folded(before, [part(store, hybrid)])
    rows = hybrid.factors.items[hybrid.movies().indexes(odd)]
    user = hybrid.factors.fold_in(rows, np.full(len(rows), 10))
    assert user @ after.vector[:4] > user @ before.vector[:4]


def test_the_new_code_and_cluster_are_those_of_the_new_factor(
    hybrid: Hybrid, store: MemoryStore
) -> None:
    handle(store, hybrid, [rate(1, 11, 5.0), rate(1, NEW.movie_id, 5.0)])
    after = hybrid.folded(row_of(hybrid, NEW), [part(store, hybrid)])
    vectors = hybrid.movie_vectors
    content = vectors.vector(NEW, (0, 0, 0))[None]
    prior, _ = hybrid.cold_start.predict(content[:, vectors.content])
    rows = with_prior_popularity(content, vectors, prior, np.ones(1, np.float32))
    codes, clusters = hybrid.pipeline.apply(hybrid.pipeline_input(after.vector[None, :4], rows))
    code = hybrid.layout.block(after.vector, "code")
    np.testing.assert_allclose(code, unit(codes)[0], atol=1e-5)
    assert after.cluster == clusters[0]


def test_a_movie_of_the_training_keeps_its_factor(hybrid: Hybrid, store: MemoryStore) -> None:
    handle(store, hybrid, [rate(1, 11, 5.0), rate(1, 13, 1.0)])
    assert store.scan(KEYS.rows(hybrid.version)) == {}
    movies = hybrid.movies()
    i = movies.index(11)
    row = DerivedMovieRow(("Action",), 2000, int(movies.clusters[i]), movies.vectors[i])
    assert hybrid.folded(row, [RaterEquations((1,), np.eye(4), np.ones(4)).pack()]) is row


def test_a_rating_taken_back_and_a_user_forgotten_count_no_more(
    hybrid: Hybrid, store: MemoryStore
) -> None:
    handle(store, hybrid, [rate(1, NEW.movie_id, 5.0), rate(2, NEW.movie_id, 1.0)])
    both = part(store, hybrid)
    assert raters_of(both) == (1, 2)
    handle(store, hybrid, [unrate(1, NEW.movie_id)])
    assert raters_of(part(store, hybrid)) == (2,)
    handle(store, hybrid, [UserErased.model_validate({"data": {"user_id": 2}})])
    assert store.scan(KEYS.rows(hybrid.version)) == {}


def test_a_rating_that_changes_is_counted_once_as_it_is_now(
    hybrid: Hybrid, store: MemoryStore
) -> None:
    handle(
        store, hybrid, [rate(1, 11, 4.0), rate(1, NEW.movie_id, 1.0), rate(1, NEW.movie_id, 5.0)]
    )
    once = MemoryStore()
    handle(once, hybrid, [rate(1, 11, 4.0), rate(1, NEW.movie_id, 5.0)])
    assert part(store, hybrid) == part(once, hybrid)


def test_a_part_has_a_bound(hybrid: Hybrid, store: MemoryStore) -> None:
    handle(store, hybrid, [rate(user_id, NEW.movie_id, 5.0) for user_id in range(1, 56)])
    assert len(raters_of(part(store, hybrid))) == MAX_RATERS < 55


@pytest.mark.parametrize("part_first", [True, False])
def test_rows_and_parts_may_come_in_any_order(
    hybrid: Hybrid, store: MemoryStore, part_first: bool
) -> None:
    handle(store, hybrid, [rate(1, 11, 5.0), rate(1, NEW.movie_id, 5.0)])
    row, packed = row_of(hybrid, NEW), part(store, hybrid)
    movies = MovieTable.from_arrays(hybrid.movies().arrays())
    rows = MovieTableWriter(hybrid, movies, Hybrid.folded)
    for step in (1, 2):
        if part_first == (step == 1):
            rows.put_part(NEW.movie_id, 0, packed)
        else:
            rows.put(NEW.movie_id, row.pack())
    expected = hybrid.folded(row, [packed]).vector
    np.testing.assert_array_equal(movies.vectors[movies.index(NEW.movie_id)], expected)
    rows.put_part(NEW.movie_id, 0, b"")
    np.testing.assert_array_equal(movies.vectors[movies.index(NEW.movie_id)], row.vector)
    rows.put(NEW.movie_id, b"")
    rows.put_part(NEW.movie_id, 1, packed)
    assert not movies.alive[movies.index(NEW.movie_id)]
