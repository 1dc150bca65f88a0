"""`marquee ratings import`: what is published and kept, and that a second time changes nothing."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner, Result

from marquee.bus.api import Outgoing, TopicPartition
from marquee.domain.ids import GivenId, parse_id_text
from marquee.domain.movies import Movie
from marquee.domain.ratings import Ratings, half_stars
from marquee.errors import StoreUnavailable
from marquee.events import (
    MOVIES,
    RATINGS,
    MovieViewed,
    RatingAdded,
    UserErased,
    UserRef,
    decode,
)
from marquee.events.erasure import digest_of_user
from marquee.settings import Settings
from marquee.store.keys import Keys
from marquee_testing.exports import LETTERBOXD, MOVIELENS, write_zip
from marquee_testing.fakes.bus import MemoryBus
from marquee_testing.fakes.store import MemoryStore
from trainer.cli.main import app
from trainer.consumer import HistoryConsumer
from trainer.history.history import History
from trainer.operations import own_ratings
from trainer.operations.erasure import ErasureReceipts
from trainer.operations.kept_films import KeptFilms, match_kept_films
from trainer.own_ratings.unmatched import UnmatchedFilms

FILMS = [
    (1, "Heat", 1995),
    (2, "The Fly", 1958),
    (3, "The Fly", 1986),
    (4, "Saw", 2003),
    (5, "Saw", 2004),
    (6, "Ikiru", 1952),
    (7, "Moonlight", None),
]


class FakeStore(MemoryStore):
    def close(self) -> None:
        pass


class Served:
    """A system that serves films: its store, its bus, and what a person's facts become."""

    def __init__(self) -> None:
        self.store, self.bus = FakeStore(), MemoryBus()
        self.keys = Keys(Settings().namespace, "gateway", Settings().partitions)
        self.bus.create_topics({MOVIES: self.keys.partitions, RATINGS: self.keys.partitions})
        for movie in FILMS:
            self.add(*movie)

    def add(self, movie_id: int, title: str, year: int | None, **more: Any) -> None:
        movie = Movie(movie_id=movie_id, title=title, year=year)
        text = orjson.dumps(movie.model_dump(mode="json") | more)
        films = self.store.values.setdefault(self.keys.movie(movie_id).movies, {})
        films[str(movie_id).encode()] = text

    def events(self) -> list[RatingAdded | MovieViewed]:
        found: list[Any] = []
        for number in range(self.keys.partitions):
            partition = TopicPartition(RATINGS, number)
            messages = self.bus.slice(partition, 0, 10_000)
            found += [decode(message.value) for message in messages]
        return found

    def follow(self, user_id: int) -> Ratings:
        """Do as the gateway's consumer does for one person, repeats dropped."""
        facts, seen = Ratings(), set()
        for event in self.events():
            if event.data.user_id == user_id and (event.source, event.id) not in seen:
                seen.add((event.source, event.id))
                if isinstance(event, RatingAdded):
                    at = int(event.time.timestamp())
                    facts.rate(event.data.movie_id, half_stars(event.data.rating), at)
                elif isinstance(event, MovieViewed):
                    facts.view(event.data.movie_id)
        self.store.values[self.keys.user(user_id).user(user_id)] = facts.pack()
        return facts


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Served:
    made = Served()
    monkeypatch.setenv("MARQUEE_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(own_ratings, "RedisStore", lambda *_, **__: made.store)
    monkeypatch.setattr(own_ratings, "open_bus", lambda _: made.bus)
    monkeypatch.chdir(tmp_path)
    return made


@pytest.fixture
def export(tmp_path: Path) -> Path:
    rated = [
        "2024-05-03,Heat,1995,f1,4.5",
        "2024-05-01,The Fly,1986,f2,4",
        "2024-05-02,Saw,2005,f3,1",
        "2024-05-02,Absent,2020,f4,3",
        "2024-05-02,Moonlight,2016,f5,5",
    ]
    watched = [*(row.rpartition(",")[0] for row in rated), "2024-04-01,Ikiru,1953,f6"]
    files = {
        "ratings.csv": "\n".join([f"{LETTERBOXD},Rating", *rated]),
        "watched.csv": "\n".join([LETTERBOXD, *watched]),
        "profile.csv": "private",
    }
    return write_zip(tmp_path / "letterboxd.zip", files)


def marquee(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["ratings", "import", *map(str, arguments)])


def report(*arguments: object) -> Any:
    result = marquee(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def kept(user_id: int = 42) -> list[str]:
    return [str(record.film) for record in UnmatchedFilms(Path("state")).of(user_id)]


def test_an_import_publishes_what_is_sure_and_names_the_rest(served: Served, export: Path) -> None:
    found = report(export, "--user", 42)
    assert found["matched"] == {"id": 0, "title": 2, "year±1": 2}
    assert found["published"] == {"movie.viewed": 1, "rating.added": 3}
    assert found["not_opened"] == ["profile.csv"]
    assert [film["title"] for film in found["not_found"]] == ["Absent"]
    assert found["ambiguous"] == [
        {
            "title": "Moonlight",
            "year": 2016,
            "imdb": None,
            "tmdb": None,
            "candidates": [{"movie_id": 7, "title": "Moonlight", "year": None}],
        }
    ]
    facts = served.follow(42)
    assert (facts.rated, list(facts.viewed)) == ({3: 8, 5: 2, 1: 9}, [6])  # the newest one last
    assert facts.times[1] == int(datetime(2024, 5, 3, tzinfo=UTC).timestamp())
    assert {event.source for event in served.events()} == {"import:letterboxd"}


def test_a_second_import_has_no_effect_before_and_after_the_first_is_handled(
    served: Served, export: Path
) -> None:
    report(export, "--user", 42)
    report(export, "--user", 42)
    ids = [event.id for event in served.events()]
    assert (len(ids), len(set(ids))) == (8, 4)
    served.follow(42)
    again = report(export, "--user", 42)
    assert (again["published"], again["already_there"], again["kept"]) == ({}, 4, 2)


def test_the_ids_of_another_person_and_after_an_erasure_are_others(
    served: Served, export: Path
) -> None:
    report(export, "--user", 42)
    report(export, "--user", 43)
    keys = served.keys.user(42)
    served.store.values[keys.erased] = {digest_of_user(42): 17.0}
    report(export, "--user", 42)
    ids = [event.id for event in served.events()]
    assert len(set(ids)) == len(ids) == 12


def test_a_rating_that_was_changed_here_later_stays(served: Served, export: Path) -> None:
    key = served.keys.user(42).user(42)
    facts = Ratings()
    facts.rate(1, 2, int(datetime(2024, 6, 1, tzinfo=UTC).timestamp()))
    facts.rate(3, 2, int(datetime(2024, 4, 1, tzinfo=UTC).timestamp()))
    served.store.values[key] = facts.pack()
    found = report(export, "--user", 42)
    assert found["newer_here"] == 1
    ratings = [e.data.movie_id for e in served.events() if isinstance(e, RatingAdded)]
    assert sorted(ratings) == [3, 5]


def test_a_dry_run_changes_nothing(served: Served, export: Path, tmp_path: Path) -> None:
    result = marquee(export, "--user", 42, "--dry-run")
    assert result.exit_code == 0, result.output
    assert "4 events would be published; nothing is changed" in result.stdout
    assert (served.events(), (tmp_path / "state").exists()) == ([], False)


@pytest.mark.usefixtures("served")
def test_the_report_is_readable(export: Path) -> None:
    lines = marquee(export, "--user", 42).stdout.splitlines()
    assert lines == [
        "letterboxd: ratings.csv (5 rows), watched.csv (6 rows)",
        "not opened: profile.csv",
        "6 films",
        "  2 matched by title and year",
        "  2 matched by title, year one off",
        "  1 ambiguous, not taken",
        "  1 not found",
        "ambiguous:",
        "  Moonlight (2016): Moonlight (no year), film 7",
        "not found:",
        "  Absent (2020)",
        "published 4 events",
        "  1 movie.viewed",
        "  3 rating.added",
        "2 films are kept, and matched again as the catalogue changes",
    ]


def test_a_film_counts_once_it_arrives(served: Served, export: Path) -> None:
    report(export, "--user", 42)
    assert kept() == ["Absent (2020)", "Moonlight (2016)"]
    [waiting] = report("--pending")
    assert (waiting["published"], waiting["kept"]) == ({}, 2)
    served.add(8, "Absent", 2020)
    [found] = report("--pending")
    assert (found["user_id"], found["published"], found["kept"]) == (42, {"rating.added": 1}, 1)
    assert served.follow(42).rated[8] == 6
    served.add(7, "Moonlight", 2016)
    assert "viewer 42:" in marquee("--pending").stdout
    assert (kept(), marquee("--pending").stdout) == ([], "no films are kept\n")


def test_an_import_takes_what_it_finds_now_from_what_is_kept(served: Served, export: Path) -> None:
    report(export, "--user", 42)
    served.add(8, "Absent", 2020)
    report(export, "--user", 42)
    assert kept() == ["Moonlight (2016)"]


def test_the_kept_films_go_with_the_person(served: Served, export: Path, tmp_path: Path) -> None:
    report(export, "--user", 42)
    report(export, "--user", "anna@example.org")
    anna = parse_id_text("anna@example.org")
    assert len(kept(anna)) == 2
    state = tmp_path / "state"
    history = History(state / "history", served.keys.partitions)
    consumer = HistoryConsumer(served.bus, history, seconds=0, unmatched=UnmatchedFilms(state))
    subscription = consumer.subscribe()
    producer = served.bus.producer()
    event = UserErased(data=UserRef(user_id=42))
    producer.publish([Outgoing.of(event)])
    for _ in range(4):
        consumer.turn(subscription)
    assert (kept(), len(kept(anna))) == ([], 2)
    [left] = report("--pending")
    assert left["user_id"] == "anna@example.org"


def test_the_trainer_matches_what_is_kept_when_the_catalogue_has_changed(
    served: Served, export: Path
) -> None:
    kept_films = KeptFilms(Settings(state=Path("state")))
    assert kept_films.look() == 0
    report(export, "--user", 42)
    served.add(8, "Absent", 2020)
    assert [kept_films.look(), kept_films.look()] == [1, 0]
    served.add(7, "Moonlight", 2016)
    assert kept_films.look() == 0
    served.store.values[served.keys.movie(7).position] = b"9"
    assert [kept_films.look(), kept()] == [1, []]


async def test_the_trainer_goes_on_when_the_store_does_not_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looks: list[int] = []

    def look(_: KeptFilms) -> int:
        looks.append(len(looks))
        if len(looks) == 1:
            raise StoreUnavailable("Redis: nobody answers")
        return 1

    monkeypatch.setattr(KeptFilms, "look", look)
    task = asyncio.create_task(match_kept_films(Settings(), seconds=0.001))
    while len(looks) < 3:
        await asyncio.sleep(0.001)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_what_was_kept_before_an_erasure_counts_no_more(served: Served, export: Path) -> None:
    report(export, "--user", 42)
    served.add(8, "Absent", 2020)
    served.store.values[served.keys.user(42).erased] = {digest_of_user(42): 17.0}
    [late] = report("--pending")
    assert (late["published"], kept()) == ({}, [])
    served.store.values[served.keys.movie(8).movies].pop(b"8")
    report(export, "--user", 42)
    films = UnmatchedFilms(Path("state"))
    films.forget(42, 17)  # by a consumer that comes late to the erasure
    assert len(kept()) == 2
    films.forget(42, 18)
    assert kept() == []


@pytest.mark.usefixtures("served")
def test_an_erasure_tells_and_finishes_the_kept_films(
    export: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report(export, "--user", 42)
    receipts = ErasureReceipts(Settings(state=Path("state")))
    monkeypatch.setattr(receipts, "_erased_at", lambda _: 17)
    monkeypatch.setattr(History, "erases", lambda _: False)
    monkeypatch.setattr("trainer.operations.erasure.open_dead_letters", _NoLetters)
    assert receipts._left_unmatched(42).startswith("2 films of imports")
    receipts.finish(42)
    assert (receipts._left_unmatched(42), kept()) == ("", [])
    receipts.close()


class _NoLetters:
    def __init__(self, _: Settings) -> None: ...

    def remove_user(self, _: int) -> None: ...

    def close(self) -> None: ...


def test_a_person_may_be_a_string(served: Served, export: Path) -> None:
    assert report(export, "--user", "anna@example.org")["user_id"] == "anna@example.org"
    assert all(event.data.user_id == GivenId("anna@example.org") for event in served.events())
    assert b'"user_id":"anna@example.org"' in served.events()[0].encode()


def test_films_known_by_id_are_published_before_they_arrive(served: Served, tmp_path: Path) -> None:
    rows = ["1,0113277,949,4.5,3.9,Heat (1995)", "900,0000900,900,3,3.3,Not Here Yet (2030)"]
    path = tmp_path / "movielens-ratings.csv"
    path.write_text("\n".join([MOVIELENS, *rows]))
    found = report(path, "--user", 42)
    assert (found["matched"]["id"], found["not_in_catalogue_yet"], found["kept"]) == (2, 1, 0)
    assert sorted(event.data.movie_id for event in served.events()) == [1, 900]
    assert "1 of them not in the catalogue yet" in marquee(path, "--user", 43).stdout


def test_ids_of_movielens_are_not_those_of_another_catalogue(
    served: Served, tmp_path: Path
) -> None:
    path = tmp_path / "movielens-ratings.csv"
    rows = ["1,0114709,862,4.5,3.9,Toy Story (1995)", "6,0113277,949,3,3.3,Heat (1995)"]
    path.write_text("\n".join([MOVIELENS, *rows]))
    found = report(path, "--user", 42)
    assert found["matched"] == {"id": 0, "title": 1, "year±1": 0}
    assert [event.data.movie_id for event in served.events()] == [1]


def test_links_lead_to_films_and_keep_others_of_the_same_title_away(
    served: Served, tmp_path: Path
) -> None:
    (tmp_path / "links.csv").write_text("movieId,imdbId,tmdbId\n1,0113277,949\n901,0000901,901\n")
    served.add(9, "Stored", 1990, links={"imdb": "tt0000009", "tmdb": 9})
    movies = [
        ("Another Name", 2001, {"trakt": 1, "imdb": "tt0113277", "tmdb": 949}),
        ("Heat", 1995, {"trakt": 2, "imdb": "tt5555555", "tmdb": 5}),
        ("Elsewhere", 1999, {"trakt": 3, "imdb": "tt0000901", "tmdb": None}),
        ("Renamed", 1990, {"trakt": 4, "imdb": None, "tmdb": 9}),
        ("Torn", 1990, {"trakt": 5, "imdb": "tt0113277", "tmdb": 9}),
    ]
    items = [
        {"rating": 9, "rated_at": "2024-01-01", "movie": {"title": t, "year": y, "ids": ids}}
        for t, y, ids in movies
    ]
    path = tmp_path / "ratings-movies.json"
    path.write_text(json.dumps(items))
    found = report(path, "--user", 42, "--links", tmp_path / "links.csv")
    assert sorted(event.data.movie_id for event in served.events()) == [1, 9, 901]
    assert [film["title"] for film in found["not_found"]] == ["Heat"]
    [torn] = found["ambiguous"]
    assert [film["movie_id"] for film in torn["candidates"]] == [1, 9]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([], "FILE: name an export, or give --pending"),
        (["x.zip", "--pending"], "FILE: name an export, or give --pending"),
        (["x.zip"], "--user: say whose ratings they are"),
        (["x.zip", "--user", "a b"], "--user 'a b': must be a whole number from 1"),
        (["x.zip", "--user", "0"], "--user '0': must be a whole number from 1"),
        (["x.zip", "--user", "1"], "x.zip: no such folder or file"),
    ],
)
@pytest.mark.usefixtures("served")
def test_a_mistake_is_one_line(arguments: list[str], line: str) -> None:
    result = marquee(*arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith("marquee: ")
    assert (line in result.stderr, result.stderr.count("\n")) == (True, 1)


def test_an_empty_catalogue_and_links_without_a_table_are_said(
    served: Served, export: Path, tmp_path: Path
) -> None:
    (tmp_path / "links.csv").write_text("a,b\n1,2\n")
    result = marquee(export, "--user", 42, "--links", tmp_path / "links.csv")
    assert "no table movieId,imdbId,tmdbId" in result.stderr
    served.store.values.clear()
    assert "the catalogue is empty: start the services" in marquee(export, "--user", 42).stderr


def test_a_bus_that_fails_says_what_to_do_and_nothing_is_kept(served: Served, export: Path) -> None:
    served.bus.available = False
    result = marquee(export, "--user", 42)
    assert result.exit_code == 2
    assert "0 of 4 events were sent" in result.stderr
    assert "import the file again: each takes effect once" in result.stderr
    assert kept() == []
