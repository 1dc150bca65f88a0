"""Lists of one service: full and within the filters where the catalogue has enough movies."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway.catalogue.catalogue import Catalogue, MovieFilter, Row
from gateway.catalogue.popularity import PopularList
from gateway.recommend.filter_stage import ListRequest
from gateway.recommend.service_list import ServedMovies, ServiceList
from gateway.state.rules import MovieRules, Rules
from gateway.upstream.models import Failure, RecommendReply
from marquee.domain.movies import Movie
from marquee.domain.recommendation import MoviesRequest, Reason, Scored
from marquee.events import Block
from marquee.features.popularity import MovieSums
from marquee.scoring.candidates import filter_mask

GENRES = ("Crime", "Drama", "Western")
LANGUAGES = ("ru", "pt-BR", None)
SOURCE = 1


def movie(i: int) -> Movie:
    return Movie(
        movie_id=i,
        title=f"Film {i}",
        year=1980 + i % 40 if i % 7 else None,
        genres=(GENRES[i % 3],),
        tags={"prison": 0.9} if i % 4 == 0 else {},
        runtime=60 + i % 90 if i % 5 else None,
        language=LANGUAGES[i % 2],
    )


CATALOGUE = Catalogue(Row.of(movie(i)) for i in range(1, 161))
POPULAR = PopularList(CATALOGUE, MovieSums())
SOME_GENRES = st.lists(st.sampled_from(GENRES), max_size=2, unique=True).map(tuple)
FILTERS = st.builds(
    MovieFilter,
    genres=SOME_GENRES,
    genres_not=SOME_GENRES,
    year_from=st.none() | st.integers(1980, 2020),
    tag=st.none() | st.sampled_from(["prison", "nobody has it"]),
    runtime_max=st.none() | st.integers(50, 150),
    languages=st.lists(st.sampled_from(["ru", "pt"]), max_size=1).map(tuple),
)
BLOCKED = st.sets(st.integers(1, 160)) | st.just(set(range(1, 120)))


@dataclass
class Service:
    """A service with the catalogue's movies, of which it knows every `step`th; it may fail."""

    step: int = 1
    fails_from: int = 9
    asked: list[dict[str, Any]] = field(default_factory=list)

    async def ask(self, n: int, filters: Mapping[str, Any]) -> RecommendReply | Failure:
        self.asked.append({"n": n, **filters})
        if len(self.asked) > self.fails_from:
            return Failure("down")
        rows = filter_mask(MoviesRequest(k=n, **filters), CATALOGUE.table)
        known = [i for i in CATALOGUE.numbers(rows) if i % self.step == 0 and i != SOURCE]
        items = tuple(Scored(i, 1 / i, Reason.SIMILAR_TO_VIEWED) for i in known[:n])
        return RecommendReply(items, "v1")


def list_of(k: int, allowed: MovieFilter, blocked: set[int]) -> ServiceList:
    rules = {i: MovieRules(block=Block(movie_id=i)) for i in blocked}
    request = ListRequest(k, allowed, frozenset((SOURCE,)))
    return ServiceList(request, Rules(rules), CATALOGUE)


def served(wanted: ServiceList, service: Service) -> ServedMovies:
    return asyncio.run(wanted.served(service.ask))


@given(
    st.integers(1, 30), FILTERS, BLOCKED, st.integers(1, 3), st.integers(0, 2)
)  # fmt: skip
def test_a_list_is_full_where_the_catalogue_has_enough_movies_within_the_filters(
    k: int, allowed: MovieFilter, blocked: set[int], step: int, fails_from: int
) -> None:
    wanted, service = list_of(k, allowed, blocked), Service(step, fails_from)
    answer = served(wanted, service)
    filled, why = wanted.filled_up(answer, POPULAR.movies(allowed))
    may_be_shown = {
        row.movie_id for row in CATALOGUE if allowed.allows(row)
    } - blocked - {SOURCE}  # fmt: skip
    shown = [item.movie_id for item in filled.items]
    assert len(shown) == len(set(shown)) == min(k, len(may_be_shown))
    assert set(shown) <= may_be_shown
    assert [i.movie_id for i in answer.filtered.items] == shown[: len(answer.filtered.items)]
    if len(answer.filtered.items) == len(shown) and answer.failure is None:
        assert why is None
    if why is None:
        assert all(item.reason is Reason.SIMILAR_TO_VIEWED for item in filled.items)
    assert len(service.asked) <= 2


def test_a_service_is_asked_for_the_movies_after_those_that_it_has_sent() -> None:
    service, wanted = Service(), list_of(10, MovieFilter(), set(range(2, 81)))
    answer = served(wanted, service)
    first, second = service.asked
    assert (first["n"], second["n"]) == (60, 60)
    assert second["exclude"] == list(range(2, 62))
    assert [item.movie_id for item in answer.filtered.items] == list(range(81, 91))


def test_one_call_is_enough_for_a_filter_that_leaves_few() -> None:
    service, wanted = Service(), list_of(20, MovieFilter(("Crime",), tag="prison"), set())
    answer = served(wanted, service)
    assert len(service.asked) == 1
    assert {i.movie_id for i in answer.filtered.items} == set(range(12, 161, 12))
    assert wanted.filled_up(answer, POPULAR.movies(wanted.list_request.filter))[1] is None


def test_what_was_sent_before_a_failure_is_kept() -> None:
    service, wanted = Service(fails_from=1), list_of(60, MovieFilter(), set(range(2, 81)))
    answer = served(wanted, service)
    assert answer.failure == Failure("down")
    assert len(answer.filtered.items) == 31
    filled, why = wanted.filled_up(answer, POPULAR.movies(MovieFilter()))
    assert (len(filled.items), why, answer.model_version) == (60, "down", "v1")
