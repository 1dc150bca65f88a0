"""How many films of exports are matched, none of them wrong; the figures are printed."""

import sys
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marquee.domain.movie_fields import MovieLinks
from marquee_testing.exports import (
    IMDB_OLD,
    RELEASE,
    Listed,
    imdb_text,
    letterboxd_files,
    listed,
    movielens_text,
    release_films,
    release_rows,
    trakt_files,
    write_zip,
)
from trainer.datasets.columns.titles import split_title
from trainer.datasets.links import read_links_at
from trainer.own_ratings.links import bundled_links
from trainer.own_ratings.matching import CatalogueFilm, FilmIndex, Match
from trainer.own_ratings.reader import read_export
from trainer.own_ratings.records import ExportedFilm
from trainer.own_ratings.titles import title_keys

FLOOR = 0.98


@cache
def films() -> list[Listed]:
    return listed(release_films())


@cache
def catalogue() -> list[CatalogueFilm]:
    rows = release_rows("movies.csv")
    return [CatalogueFilm(int(r["movieId"]), *split_title(r["title"])) for r in rows]


@cache
def index(links: bool, without: int = 0, rest: int = 0) -> FilmIndex:
    """Return the catalogue, of each `without` films one left out."""
    kept = [film for i, film in enumerate(catalogue()) if not without or i % without != rest]
    return FilmIndex(kept, read_links_at(RELEASE) if links else None)


def export_of(kind: str, folder: Path) -> Path:
    if kind == "letterboxd":
        return write_zip(folder / "letterboxd.zip", letterboxd_files(films()))
    if kind.startswith("trakt"):
        old = "" if kind == "trakt" else "somebody/"
        return write_zip(folder / f"{kind}.zip", trakt_files(films(), old))
    texts = {
        "imdb": imdb_text(films()),
        "imdb-old": imdb_text(films(), IMDB_OLD),
        "movielens": movielens_text(films()),
    }
    path = folder / f"{kind}.csv"
    path.write_text(texts[kind])
    return path


def truth(match: Match) -> set[int]:
    """Return what a film of an export is, which only its ids or its spelling tell."""
    film = match.film
    if film.movielens is not None:
        return {film.movielens}
    if film.imdb is not None:
        return _by_imdb()[film.imdb]
    return _by_spelling()[film.title, film.year]


@cache
def _by_imdb() -> dict[str, set[int]]:
    return {f"tt{item.film.imdb}": {item.film.movie_id} for item in films()}


@cache
def _by_spelling() -> dict[tuple[str, int | None], set[int]]:
    found: dict[tuple[str, int | None], set[int]] = {}
    for item in films():
        found.setdefault((item.title, item.year), set()).add(item.film.movie_id)
    return found


CASES = [
    *(("letterboxd", links, without) for links in (True, False) for without in (0, 4)),
    *((kind, links, 0) for kind in ("imdb", "trakt", "movielens") for links in (True, False)),
    ("imdb", False, 4),
    ("imdb-old", True, 0),
    ("trakt-old", True, 0),
]


@pytest.mark.parametrize(("kind", "links", "without"), CASES)
def test_nearly_all_films_are_matched_and_none_is_wrong(
    kind: str, links: bool, without: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records = read_export(export_of(kind, tmp_path)).records()
    present = index(links, without)
    matches = present.match_all([record.film for record in records])
    there = [match for match in matches if truth(match) & present.films.keys()]
    right = sum(truth(match) == {match.movie_id} for match in there)
    wrong = [m for m in matches if m.movie_id is not None and truth(m) != {m.movie_id}]
    with capsys.disabled():
        sys.stdout.write(
            f"\n{kind}, {'links' if links else 'no links'}, {len(present.films):,} films here:"
            f" {len(matches):,} read, {len(there):,} of them here, right {right / len(there):.2%},"
            f" wrong {len(wrong)}; {dict(Counter(match.how for match in matches))}"
        )
    assert right >= FLOOR * len(there)
    assert wrong == []


def test_a_film_alone_is_right_or_not_taken_and_one_that_is_missing_rarely_passes_for_another(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Only a film of the same title in the next year can, or one that the catalogue has twice."""
    whole, taken = index(False), []
    for item in films():
        [match] = whole.match_all([ExportedFilm("one", item.title, item.year)])
        assert match.movie_id in (None, item.film.movie_id)
    for rest in range(4):
        present = index(False, 4, rest)
        missing = [item for item in films() if item.film.movie_id not in present.films]
        for item in missing:
            [match] = present.match_all([ExportedFilm("one", item.title, item.year)])
            if match.movie_id is not None:
                taken.append((str(match.film), match.how))
    with capsys.disabled():
        sys.stdout.write(
            f"\ntaken for another though missing: {len(taken)} of {len(films()):,}: {taken}"
        )
    assert len(taken) <= 0.002 * len(films())


TITLES = st.sampled_from(
    ["Heat", "HEAT", "The Heat", "Heat, The", "Heat II", "Heat 2", "Héat", "Heat (Hitze)", "Hitze",
     "Heat & Dust", "Heat and Dust", "Misérables, Les", "Les Miserables", "?!", "300", "It",
     "It (Part 1)"]
)  # fmt: skip
YEARS = st.one_of(st.none(), st.integers(1994, 1999))
NUMBERS = st.one_of(st.none(), st.integers(1, 4))
IMDB = st.one_of(st.none(), st.sampled_from([f"tt000000{n}" for n in range(1, 5)]))


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(TITLES | st.text(min_size=1, max_size=6), YEARS), max_size=8),
    st.lists(
        st.tuples(TITLES | st.text(max_size=6), YEARS, IMDB, NUMBERS, st.booleans()), max_size=8
    ),
)
def test_a_matched_film_has_the_same_id_or_the_same_title_and_nearly_the_year(
    here, exported
) -> None:
    known = [CatalogueFilm(i, *film) for i, film in enumerate(here, 1)]
    index = FilmIndex(known)
    asked = [
        ExportedFilm(str(i), title, year, imdb=imdb, movielens=movie_id, is_doubled=doubled)
        for i, (title, year, imdb, movie_id, doubled) in enumerate(exported)
    ]
    matches = index.match_all(asked)
    by_title = [m.movie_id for m in matches if m.how in ("title", "year±1")]
    assert len(set(by_title)) == len(by_title)
    for match in matches:
        film = match.film
        if match.how == "id":
            assert match.movie_id == film.movielens
        elif match.movie_id is not None:
            found = index.films[match.movie_id]
            assert title_keys(film.title) & title_keys(found.title)
            assert film.year is not None
            assert found.year is not None
            assert abs(found.year - film.year) <= (match.how == "year±1")
            others = [
                other
                for other in known
                if other is not found
                and title_keys(other.title) & title_keys(film.title)
                and other.year is not None
                and abs(other.year - film.year) <= (match.how == "year±1")
            ]
            assert others == []


def test_the_bundled_links_are_those_of_the_bundled_catalogue_alone() -> None:
    titles = {film.movie_id: film.title for film in catalogue()}
    links = bundled_links(titles, RELEASE)
    assert links[1] == MovieLinks(imdb="tt0114709", tmdb=862)
    assert len(links) == len(catalogue())
    fewer = {i: title for i, title in titles.items() if i % 20}
    assert bundled_links(fewer, RELEASE)
    others = {i: titles[i] if i % 2 else "Another Film" for i in titles}
    assert not bundled_links(others, RELEASE)
    assert not bundled_links(titles, RELEASE.with_name("absent.zip"))
