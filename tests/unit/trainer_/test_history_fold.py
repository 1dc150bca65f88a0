"""The events of the history fold into the facts that one would get by applying them one by one."""

from pathlib import Path

import numpy as np
import pytest

from marquee.domain.movies import Movie
from marquee.events import (
    AnyEvent,
    MovieAdded,
    MovieBlocked,
    MovieDismissed,
    MovieRemoved,
    MovieUpdated,
    RatingAdded,
    RatingRemoved,
    UserErased,
)
from marquee.events.partitioning import partition_of
from marquee_testing.trainings.small_history import MOVIES, added, imported, of_kind, rated
from trainer.facts.fold import LISTED
from trainer.history.history import History
from trainer.history.log_segments import MovieRow, RatingRow, row_of

P = 2


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "history", P)


def partition_with(*user_ids: int) -> int:
    """Return the one partition of users, who must have been chosen to share it."""
    (partition,) = {partition_of(user_id, P) for user_id in user_ids}
    return partition


def test_the_last_event_of_a_pair_wins_whatever_its_time(history: History) -> None:
    imported(history)
    p = partition_with(1)
    history.append(
        "ratings", p, 0, 4,
        [added(0, 1, 1, 2), added(1, 1, 3, 9)._replace(time=0), of_kind("removed", 2, 1, 2),
         added(3, 1, 3, 7)._replace(time=0)],
    )  # fmt: skip
    data, cut = history.dataset()
    assert rated(data) == {(1, 1): 2, (1, 3): 7, (2, 1): 8, (3, 5): 1}
    assert cut[f"ratings:{p}"] == 4


def test_a_rating_that_is_removed_and_given_again_is_there(history: History) -> None:
    imported(history)
    p = partition_with(1)
    history.append("ratings", p, 0, 2, [of_kind("removed", 0, 1, 1), added(1, 1, 1, 4)])
    assert rated(history.dataset()[0])[1, 1] == 4


def test_an_erasure_takes_all_before_it_and_nothing_after(history: History) -> None:
    imported(history)
    p = partition_with(1)
    events = [added(0, 1, 4), of_kind("viewed", 1, 1, 4), of_kind("erased", 2, 1), added(3, 1, 5)]
    history.append("ratings", p, 0, 4, events)
    facts, _ = history.facts()
    assert rated(facts.dataset()) == {(1, 5): 8, (2, 1): 8, (3, 5): 1}
    assert len(facts.marks) == 0


def test_marks_follow_their_last_event(history: History) -> None:
    kinds = [("viewed", 1), ("dismissed", 2), ("dismissed", 3), ("restored", 2), ("viewed", 1)]
    rows = [of_kind(kind, offset, 1, movie) for offset, (kind, movie) in enumerate(kinds)]
    history.append("ratings", 0, 0, len(rows), rows)
    assert len(history.facts()[0].ratings) == 0
    history.compact()
    facts, _ = history.facts()
    assert sorted(facts.marks.movie_ids.tolist()) == [1, 3]


def test_watchlists_have_the_order_of_their_last_events(history: History) -> None:
    kinds = [("listed", 1), ("listed", 2), ("viewed", 2), ("listed", 3), ("listed", 1),
             ("unlisted", 3), ("listed", 4)]  # fmt: skip
    first, second = kinds[:4], kinds[4:]
    rows = [of_kind(kind, offset, 1, movie) for offset, (kind, movie) in enumerate(kinds)]
    p = partition_with(1)
    history.append("ratings", p, 0, len(first), rows[: len(first)])
    history.compact()
    history.append("ratings", p, len(first), len(kinds), rows[len(first) :])
    assert len(second) == 3
    for _ in range(2):  # from segments, then from a snapshot
        marks = history.facts()[0].marks
        assert marks.movie_ids[marks.codes == LISTED].tolist() == [2, 1, 4]
        history.compact()


def test_ratings_of_a_removed_movie_come_back_with_the_movie(history: History) -> None:
    imported(history)
    p = partition_of(1, P)

    def append(offset: int, event: MovieAdded | MovieRemoved) -> None:
        row = row_of(offset, event)
        assert isinstance(row, MovieRow)
        history.append("movies", p, offset, offset + 1, [row])

    append(0, MovieRemoved(data={"movie_id": 1}))
    data, _ = history.dataset()
    assert {movie.movie_id for movie in data.movies} == {2, 3, 4, 5}
    assert (1, 1) not in rated(data)
    history.compact()
    append(1, MovieAdded(data=MOVIES[0]))
    assert rated(history.dataset()[0])[1, 1] == 10


def test_movie_events_add_change_and_rule(history: History) -> None:
    imported(history)
    p = partition_of(9, P)
    events: list[AnyEvent] = [
        MovieAdded(data=Movie(movie_id=9, title="New", genres=("War",))),
        MovieUpdated(data={"movie_id": 9, "title": "Newer", "tags": {"fast": 1.0}}),
        MovieUpdated(data={"movie_id": 99, "title": "Never added"}),
        MovieBlocked(data={"movie_id": 9, "reason": "rights"}),
    ]
    rows = [row_of(offset, event) for offset, event in enumerate(events)]
    history.append("movies", p, 0, 4, [row for row in rows if isinstance(row, MovieRow)])
    movies = {movie.movie_id: movie for movie in history.dataset()[0].movies}
    assert movies[9] == Movie(movie_id=9, title="Newer", genres=("War",), tags={"fast": 1.0})
    assert 99 not in movies
    history.compact()
    assert list(history.facts()[0].catalogue.rules) == [(9, "block")]


@pytest.mark.parametrize("compacted", [True, False])
def test_cleared_fields_are_gone_from_the_data_and_from_snapshots(
    history: History, compacted: bool
) -> None:
    imported(history)
    p = partition_of(9, P)
    movie = Movie(movie_id=9, title="New", year=2000, runtime=90, overview="Of it.")
    added_row = row_of(0, MovieAdded(data=movie))
    assert isinstance(added_row, MovieRow)
    history.append("movies", p, 0, 1, [added_row])
    if compacted:
        history.compact()
    cleared_row = row_of(1, MovieUpdated(data={"movie_id": 9, "cleared": ["runtime", "year"]}))
    assert isinstance(cleared_row, MovieRow)
    history.append("movies", p, 1, 2, [cleared_row])
    expected = Movie(movie_id=9, title="New", overview="Of it.")
    for _ in range(2):
        movies = {movie.movie_id: movie for movie in history.dataset()[0].movies}
        assert movies[9] == expected
        history.compact()


def test_compacting_changes_no_fact_and_leaves_nothing_of_the_erased(
    history: History, tmp_path: Path
) -> None:
    imported(history)
    p = partition_with(1)
    history.append("ratings", p, 0, 3, [added(0, 1, 4), of_kind("erased", 1, 1), added(2, 3, 1)])
    before, cut = history.dataset()
    history.compact()
    after, cut_after = history.dataset()
    assert (after.version, cut_after) == (before.version, cut)
    assert [path.name for path in (tmp_path / "history").glob("snapshot-*")] == ["snapshot-000001"]
    assert list((tmp_path / f"history/ratings-{p}").iterdir()) == []
    assert history.position("ratings", p) == 3
    history.append("ratings", p, 3, 4, [added(3, 3, 2)])
    assert (3, 2) in rated(history.dataset()[0])


def test_rows_of_a_user_keep_the_order_of_their_last_change(history: History) -> None:
    imported(history)
    p = partition_with(1)
    history.append("ratings", p, 0, 2, [added(0, 1, 4)._replace(time=0), added(1, 1, 1)])
    history.compact()
    ratings = history.facts()[0].ratings
    assert ratings.movie_ids[ratings.user_ids == 1].tolist() == [2, 4, 1]


def test_events_become_rows() -> None:
    rating = RatingAdded(data={"user_id": 2**62, "movie_id": 7, "rating": 3.5})
    assert row_of(5, rating) == RatingRow(5, "added", 2**62, 7, 7, int(rating.time.timestamp()))
    pair = {"user_id": 1, "movie_id": 7}
    kinds = [
        row_of(0, event)[1]
        for event in (
            RatingRemoved(data=pair), MovieDismissed(data=pair), UserErased(data={"user_id": 1})
        )
    ]  # fmt: skip
    assert kinds == ["removed", "dismissed", "erased"]


def test_random_events_fold_as_one_by_one(history: History) -> None:
    random = np.random.default_rng(1)
    users = [user for user in range(1, 20) if partition_of(user, P) == 0]
    expected: dict[tuple[int, int], int] = {}
    offset = 0
    for batch in range(30):
        rows = []
        for _ in range(20):
            kind = str(random.choice(["added", "added", "added", "removed", "erased"]))
            user = int(random.choice(users))
            movie, half = (int(random.integers(1, high)) for high in (6, 11))
            rows.append(RatingRow(offset, kind, user, movie, half, int(random.integers(100))))
            offset += 1
            if kind == "added":
                expected[user, movie] = half
            elif kind == "removed":
                expected.pop((user, movie), None)
            else:
                expected = {pair: h for pair, h in expected.items() if pair[0] != user}
        history.append("ratings", 0, rows[0].offset, offset, rows)
        if batch % 10 == 9:
            history.compact()
        facts = history.facts()[0].ratings
        pairs = zip(facts.user_ids.tolist(), facts.movie_ids.tolist(), strict=True)
        assert dict(zip(pairs, facts.codes.tolist(), strict=True)) == expected
