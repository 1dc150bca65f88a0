"""Content model: the contract of recommenders, and movies similar to one."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from content.app import popular
from content.fit import ContentConfig, fit
from content.model import Content, with_similar
from marquee.domain.movies import Movie
from marquee.domain.rating_sums import RatingSums
from marquee.domain.recommendation import Reason, RecommendRequest, Route, Scored, UserHistory
from marquee.features.dataset import Dataset
from marquee.features.movie_table import MovieTable
from marquee.features.popularity import LivePopularity, MovieSums, Popularity
from marquee.scoring.evidence_weights import EvidenceWeights
from marquee.scoring.scorers.likeness import NEAR_SHARE
from marquee.serving.replica import ServingState
from marquee_testing import RecommenderContract, checkerboard
from marquee_testing.small_fits import SMALL_TASTE

SMALL = ContentConfig(dimensions=6, clusters=4, taste=SMALL_TASTE, new_movie_penalty=1.0)


class TestContent(RecommenderContract):
    @classmethod
    def fit(cls, dataset: Dataset, seed: int = 0) -> Content:
        return fit(dataset, SMALL, seed)


@pytest.fixture(scope="module")
def content() -> Content:
    return fit(checkerboard(), SMALL, 0)


def test_viewed_movies_alone_lead_to_their_kind(content: Content) -> None:
    answer = recommended(content, [11, 13], 5)
    assert {scored.movie_id % 2 for scored in answer} == {1}


def test_an_item_is_similar_only_where_it_is_near_a_viewed_movie_which_it_names(
    content: Content,
) -> None:
    movies = content.movies()
    assert content.likeness is not None
    rows = content.layout.block(movies.vectors, "likeness")
    floors = content.layout.column(movies.vectors, "floor")
    reasons = set()
    for scored in recommended(content, [11, 13], 22):
        item = movies.index(scored.movie_id)
        is_near = {
            viewed: content.likeness.to(rows[movies.index(viewed)], rows)[item]
            >= floors[movies.index(viewed)] - 1e-6
            for viewed in (11, 13)
        }
        assert (scored.reason is Reason.SIMILAR_TO_VIEWED) == any(is_near.values())
        assert {movie_id for movie_id, _ in scored.because} == {
            viewed for viewed, near in is_near.items() if near
        }
        if scored.because:
            assert sum(share for _, share in scored.because) == pytest.approx(1, abs=1e-3)
        reasons.add(scored.reason)
    assert reasons == {
        Reason.SIMILAR_TO_VIEWED,
        Reason.POPULAR_IN_YOUR_GENRES,
        Reason.POPULAR,  # a movie of the other kind shares no genre with the viewed ones
    }


def test_one_in_two_hundred_movies_may_be_near() -> None:
    assert NEAR_SHARE == 0.005


def test_a_similar_movie_falls_without_the_movie_that_it_names(content: Content) -> None:
    full = recommended(content, [10, 11], 22)
    similar = [scored for scored in full if scored.reason is Reason.SIMILAR_TO_VIEWED]
    assert similar
    for scored in similar:
        named = {movie_id for movie_id, _ in scored.because}
        others = [viewed for viewed in (10, 11) if viewed not in named]
        without = recommended(content, others or [11 - scored.movie_id % 2], 22)
        assert rank(without, scored.movie_id) > rank(full, scored.movie_id)


def test_a_movie_popular_in_the_genres_falls_without_the_genre_and_without_popularity(
    content: Content,
) -> None:
    movies = content.movies()
    full = recommended(content, [10], 22)
    popular = [item for item in full if item.reason is Reason.POPULAR_IN_YOUR_GENRES]
    assert popular
    sums = np.array([content.sums(int(i)) for i in movies.movie_ids], np.int64)
    for scored in popular[:4]:
        elsewhere = recommended(content, [11], 22)
        assert rank(elsewhere, scored.movie_id) > rank(full, scored.movie_id)
        forgotten = sums.copy()
        forgotten[movies.index(scored.movie_id)] = 0
        (score,) = (
            other.score
            for other in recommended(content, [10], 22, Popularity(forgotten))
            if other.movie_id == scored.movie_id
        )
        assert score < scored.score - 1e-3


@pytest.mark.parametrize(
    ("genres", "reason"), [((), Reason.POPULAR), (("Action",), Reason.POPULAR_IN_GENRE)]
)
def test_a_popular_movie_falls_without_its_likes(
    content: Content, genres: tuple[str, ...], reason: Reason
) -> None:
    request = RecommendRequest(route=Route.POPULAR, genres=genres, k=24)

    def lists(without: int | None = None) -> list[Scored]:
        movies, sums = content.movies(), MovieSums()
        base = {int(i): content.sums(int(i)) for i in movies.movie_ids}
        sums.replace(0, {i: RatingSums() if i == without else RatingSums(*base[i]) for i in base})
        live = LivePopularity(movies, sums)
        return popular(ServingState(content, movies, live, None), request)  # type: ignore[arg-type]

    full = lists()
    assert {scored.reason for scored in full} == {reason}
    assert rank(lists(full[0].movie_id), full[0].movie_id) == len(full) - 1


def recommended(
    content: Content, viewed: list[int], k: int, popularity: Popularity | None = None
) -> list[Scored]:
    """Return the list for someone who viewed some movies, without these."""
    movies = content.movies()
    mask = ~np.isin(movies.movie_ids, viewed)
    return content.recommend(UserHistory.of((), viewed), movies, mask, k, popularity)


def rank(items: list[Scored], movie_id: int) -> int:
    """Return the place of a movie in a list, from 0; its length where it is missing."""
    ids = [scored.movie_id for scored in items]
    return ids.index(movie_id) if movie_id in ids else len(ids)


def test_movies_rated_low_are_no_source(content: Content) -> None:
    movies = content.movies()
    user = UserHistory.of([(10, 1.0), (11, 5.0)])
    assert content.history(user, movies).tolist() == [movies.index(11)]


def test_similar_movies_share_genres_and_tags(content: Content) -> None:
    movies = content.movies()
    answer = content.similar(10, movies, movies.alive, 8)
    assert [scored.movie_id % 2 for scored in answer] == [0] * 8
    assert 10 not in {scored.movie_id for scored in answer}


def test_a_movie_put_by_an_event_is_similar_at_once(content: Content) -> None:
    movies = content.movies()
    movie = Movie(movie_id=900, title="New", year=2010, genres=("Romance",), tags={"letters": 0.9})
    movies.put(900, movie.genres, movie.year, *content.row(movie, (0, 0, 0)))
    nearest = [scored.movie_id for scored in content.similar(900, movies, movies.alive, 5)]
    assert {movie_id % 2 for movie_id in nearest} == {1}
    assert 900 in {scored.movie_id for scored in content.similar(11, movies, movies.alive, 24)}


def test_the_copy_of_a_movie_is_first_among_its_similar_movies() -> None:
    names = ("Night", "River", "Garden", "Summer", "Moon", "Gate")
    dataset = checkerboard()
    titled = [
        movie.model_copy(update={"title": f"{names[i % 6]} {'abcd'[i // 6] * 3}", "year": 1950 + i})
        for i, movie in enumerate(dataset.movies)
    ]
    model = fit(replace(dataset, movies=tuple(titled)), SMALL, 0)
    movies = model.movies()
    for i, movie in enumerate(titled):
        copy = movie.model_copy(update={"movie_id": 900 + i})
        movies.put(copy.movie_id, copy.genres, copy.year, *model.row(copy, (0, 0, 0)))
        for asked, first in ((movie, copy), (copy, movie)):
            nearest = model.similar(asked.movie_id, movies, movies.alive, 3)
            assert nearest[0].movie_id == first.movie_id


def test_a_bundle_of_older_code_is_served_by_codes_as_before(
    content: Content, tmp_path: Path
) -> None:
    width = content.layout.start("likeness")
    base = content.movies()
    older = MovieTable.from_arrays({**base.arrays(), "vectors": base.vectors[:, :width]})
    replace(content, likeness=None, base=older).save(tmp_path)
    served = Content.load(tmp_path)
    movies = served.movies()
    assert served.likeness is None
    codes = served.layout.block(movies.vectors, "code")
    assert served.similar(10, movies, movies.alive, 3)[0].score == pytest.approx(
        np.sort(codes @ codes[0])[-2]
    )
    movie = Movie(movie_id=900, title="New", year=2010, genres=("Romance",))
    movies.put(900, movie.genres, movie.year, *served.row(movie, (0, 0, 0)))
    answer = served.recommend(UserHistory.of((), [10]), movies, movies.alive, 5)
    assert {scored.reason for scored in answer} == {Reason.SIMILAR_TO_VIEWED}


def test_movies_similar_to_an_unknown_one_are_none(content: Content) -> None:
    movies = content.movies()
    assert content.similar(77777, movies, movies.alive, 5) == []


def test_lists_of_movies_like_each_of_several_are_those_of_each_alone(content: Content) -> None:
    older = replace(content, likeness=None)
    for model in (content, older):
        movies = model.movies()
        mask = movies.alive.copy()
        mask[movies.index(12)] = False
        asked = [11, 77777, 14, 11]
        several = model.similar_to_each(asked, movies, mask, 6)
        assert several == [model.similar(movie_id, movies, mask, 6) for movie_id in asked]
        assert [len(items) for items in several] == [6, 0, 6, 6]
        assert several[0] != several[2]
        assert model.similar_to_each([77777], movies, mask, 6) == [[]]


def test_live_popularity_changes_the_order(content: Content) -> None:
    movies = content.movies()
    sums = np.array([content.sums(int(i)) for i in movies.movie_ids], np.int64)
    sums[movies.index(18)] = (5000, 5000, 50000)
    user, mask = UserHistory.of((), [10]), movies.movie_ids != 10
    weights = EvidenceWeights.constant({"content": 0.1, "popularity": 1.0})
    model = replace(content, weights=weights)
    before = [scored.movie_id for scored in model.recommend(user, movies, mask, 24)]
    live = Popularity(sums)
    after = [scored.movie_id for scored in model.recommend(user, movies, mask, 24, live)]
    assert before[0] != 18
    assert after[0] == 18


def test_sums_are_those_of_the_data(content: Content) -> None:
    dataset = checkerboard()
    chosen = dataset.movie_ids == 12
    half = dataset.half_stars[chosen]
    assert content.sums(12) == (int(chosen.sum()), int((half >= 8).sum()), int(half.sum()))
    assert content.sums(12345) == (0, 0, 0)


@given(
    st.lists(st.tuples(st.booleans(), st.integers(-50, 50)), max_size=40),
    st.integers(0, 40),
)
def test_similar_movies_have_a_quarter_of_the_places_of_any_list(
    drawn: list[tuple[bool, int]], k: int
) -> None:
    drawn.sort(key=lambda pair: -pair[1])
    items = [
        Scored(i, score / 2, Reason.SIMILAR_TO_VIEWED if is_similar else Reason.POPULAR, ())
        for i, (is_similar, score) in enumerate(drawn)
    ]
    ranked = with_similar(items, Reason.SIMILAR_TO_VIEWED)
    assert sorted(item.movie_id for item in ranked) == list(range(len(items)))
    for reason in (Reason.SIMILAR_TO_VIEWED, Reason.POPULAR):
        ids = [item.movie_id for item in ranked if item.reason is reason]
        assert ids == sorted(ids)
    scores = [item.score for item in ranked]
    assert scores == sorted(scores, reverse=True)
    n_similar = sum(is_similar for is_similar, _ in drawn)
    shown = [item.reason is Reason.SIMILAR_TO_VIEWED for item in ranked[:k]]
    assert sum(shown) >= min(n_similar, len(shown) // 4)
    if all(sum(is_similar for is_similar, _ in drawn[:n]) >= n // 4 for n in range(len(drawn))):
        assert ranked == items  # nothing to do
