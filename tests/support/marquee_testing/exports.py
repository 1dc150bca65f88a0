"""Exports of film sites, as persons get them, made of the bundled release with what each film is.

Sites spell titles in their own ways: with the article in front, without or with accents, by the
original or another title, with digits for numerals; one film in fifty is of another year there.
"""

import csv
import io
import json
import random
import re
import unicodedata
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
RELEASE = ROOT / "data/ml-latest-small.zip"

LETTERBOXD = "Date,Name,Year,Letterboxd URI"
IMDB_OLD = (
    "Const,Your Rating,Date Rated,Title,URL,Title Type,IMDb Rating,Runtime (mins),Year,Genres,"
    "Num Votes,Release Date,Directors"
)
IMDB_NEW = IMDB_OLD.replace("Title,URL", "Title,Original Title,URL")
IMDB_LIST = (
    "Position,Const,Created,Modified,Description,Title,Original Title,URL,Title Type,IMDb Rating,"
    "Runtime (mins),Year,Genres,Num Votes,Release Date,Directors,Your Rating,Date Rated"
)
MOVIELENS = "movie_id,imdb_id,tmdb_id,rating,average_rating,title"
_TITLE = re.compile(r"^(?P<name>.*?)(?P<others>(?:\s*\([^()]*\))*)\s*\((?P<year>\d{4})\)$")
_MOVED = re.compile(r"^(.*), (The|A|An|Le|La|Les|L'|Un|Une|Il|El|Los|Las|Der|Die|Das|Det|Den)$")
_DIGITS = {"II": "2", "III": "3", "IV": "4", "V": "5", "VI": "6", "Two": "2", "Three": "3"}


@dataclass(frozen=True)
class ReleaseFilm:
    """A film of the release, with its title in pieces."""

    movie_id: int
    raw: str
    name: str
    others: tuple[str, ...]
    year: int
    imdb: str
    tmdb: str


@dataclass(frozen=True)
class Listed:
    """A film in an export: what it is, and as the site writes it."""

    film: ReleaseFilm
    title: str
    year: int
    half_stars: int
    date: str


def release_rows(name: str) -> list[dict[str, str]]:
    """Return the rows of a table of the release."""
    with zipfile.ZipFile(RELEASE) as archive:
        text = archive.read(f"ml-latest-small/{name}").decode()
    return list(csv.DictReader(io.StringIO(text)))


def release_films() -> list[ReleaseFilm]:
    """Return the films of the release that have a year."""
    links = {row["movieId"]: row for row in release_rows("links.csv")}
    films = []
    for row in release_rows("movies.csv"):
        match = _TITLE.match(row["title"].strip())
        if match:
            others = tuple(re.findall(r"\(([^()]*)\)", match["others"]))
            link = links[row["movieId"]]
            pieces = (match["name"], others, int(match["year"]))
            ids = (link["imdbId"], link["tmdbId"])
            films.append(ReleaseFilm(int(row["movieId"]), row["title"], *pieces, *ids))
    return films


def listed(films: Iterable[ReleaseFilm], seed: int = 1) -> list[Listed]:
    """Return films as a site lists them, with ratings and dates."""
    draws = random.Random(seed)
    return [
        Listed(
            film,
            _title(film, draws),
            film.year + (draws.choice((-1, 1)) if draws.random() < 0.02 else 0),
            draws.randint(1, 10),
            f"20{draws.randint(10, 24)}-{draws.randint(1, 12):02}-{draws.randint(1, 28):02}",
        )
        for film in films
    ]


def _title(film: ReleaseFilm, draws: random.Random) -> str:
    title = film.name
    others = [other for other in film.others if re.search(r"[^\W\d]{3}", other)]
    if others and draws.random() < 0.3:
        title = re.sub(r"^a\.k\.a\. ", "", draws.choice(others))
    if draws.random() < 0.9:
        title = _MOVED.sub(lambda m: m[2] + ("" if m[2] == "L'" else " ") + m[1], title)
    for chance, change in _CHANGES:
        if draws.random() < chance:
            title = change(title)
    return title


def _without_accents(title: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", title) if not unicodedata.combining(c))


_CHANGES: Sequence[tuple[float, Callable[[str], str]]] = (
    (0.2, _without_accents),
    (0.3, lambda t: t.replace(" & ", " and ")),
    (0.1, lambda t: t.replace(" and ", " & ")),
    (0.2, lambda t: t.replace("'", "’")),
    (0.2, lambda t: t.replace(":", " -") if "(" not in t else t),
    (0.2, lambda t: " ".join([t.split()[0], *(_DIGITS.get(w, w) for w in t.split()[1:])])),
    (0.1, lambda t: t.replace("-", " ")),
    (0.05, str.upper),
)


def letterboxd_files(films: Sequence[Listed]) -> dict[str, str]:
    """Return the files of a Letterboxd export: every fifth film is seen and not rated."""
    files: dict[str, list[Sequence[object]]] = {"ratings": [], "watched": [], "diary": []}
    for i, item in enumerate(films):
        row = (item.date, item.title, item.year, f"https://boxd.it/f{item.film.movie_id:x}")
        files["watched"].append(row)
        if i % 5:
            files["ratings"].append((*row, _stars(item.half_stars)))
        if i % 3 == 0:
            entry = (item.date, item.title, item.year, f"https://boxd.it/d{i:x}")
            rating = _stars(item.half_stars) if i % 5 else ""
            files["diary"].append((*entry, rating, "", "", item.date))
    headers = {
        "ratings": f"{LETTERBOXD},Rating",
        "watched": LETTERBOXD,
        "diary": f"{LETTERBOXD},Rating,Rewatch,Tags,Watched Date",
    }
    return {f"{name}.csv": _csv(headers[name], rows) for name, rows in files.items()} | {
        "watchlist.csv": f"{LETTERBOXD}\r\n2024-01-01,Heat,1995,https://boxd.it/x\r\n",
        "reviews.csv": "private",
        "comments.csv": "private",
        "profile.csv": "private",
        "likes/films.csv": "private",
        "likes/reviews.csv": "private",
        "lists/best.csv": "private",
        "deleted/diary.csv": "private",
        "orphaned/diary.csv": "private",
    }


def imdb_text(films: Sequence[Listed], header: str = IMDB_NEW) -> str:
    """Return IMDb's table of ratings, with a series among the films."""
    kinds = ("Movie", "TV Series") if "Original" in header else ("movie", "tvSeries")
    rows = [_imdb_row(item, kinds[0]) for item in films]
    if films:
        series = _imdb_row(films[0], kinds[1]) | {"Const": "tt9999999", "Title": "A Series"}
        rows.insert(1, series)
    names = header.split(",")
    return _csv(header, ([row.get(name, "") for name in names] for row in rows), "\n")


def _imdb_row(item: Listed, kind: str) -> dict[str, str]:
    return {
        "Const": f"tt{item.film.imdb}",
        "Your Rating": str(item.half_stars),
        "Date Rated": item.date,
        "Title": item.title,
        "Original Title": item.title,
        "Title Type": kind,
        "Year": str(item.year),
        "Directors": "One, Two",
    }


def trakt_files(films: Sequence[Listed], folder: str = "") -> dict[str, str]:
    """Return the files of a Trakt export; `folder` is that of the old layout."""
    rated = [i for i, _ in enumerate(films) if i % 4]
    at = {i: f"{item.date}T20:00:00.000Z" for i, item in enumerate(films)}
    movies = [_trakt_movie(item) for item in films]
    ratings = [
        {"rated_at": at[i], "rating": films[i].half_stars, "type": "movie", "movie": movies[i]}
        for i in rated
    ]
    plays: list[dict[str, Any]] = [
        {"id": i, "watched_at": at[i], "action": "watch", "type": "movie", "movie": movie}
        for i, movie in enumerate(movies)
    ]
    plays.insert(1, {"id": 0, "watched_at": "2024-01-01", "type": "episode", "episode": {}})
    half = len(plays) // 2
    watched = [{"plays": 1, "last_watched_at": at[i], "movie": m} for i, m in enumerate(movies)]
    parts = ("watched/", "ratings/", "lists/") if folder else ("", "", "")
    return {
        f"{folder}{parts[0]}watched-history-1.json": json.dumps(plays[:half]),
        f"{folder}{parts[0]}watched-history-2.json": json.dumps(plays[half:]),
        f"{folder}{parts[0]}watched-movies.json": json.dumps(watched),
        f"{folder}{parts[0]}watched-shows.json": "private",
        f"{folder}{parts[1]}ratings-movies.json": json.dumps(ratings),
        f"{folder}{parts[2]}lists-watchlist.json": "private",
        f"{folder}user-profile.json": "private",
    }


def _trakt_movie(item: Listed) -> dict[str, Any]:
    film = item.film
    tmdb = int(film.tmdb) if film.tmdb else None
    ids = {"trakt": film.movie_id + 7, "slug": "s", "imdb": f"tt{film.imdb}", "tmdb": tmdb}
    return {"title": item.title, "year": item.year, "ids": ids}


def movielens_text(films: Sequence[Listed]) -> str:
    """Return MovieLens' table of a person's ratings."""
    rows = (
        (
            item.film.movie_id,
            item.film.imdb,
            item.film.tmdb,
            _stars(item.half_stars),
            3.5,
            item.film.raw,
        )
        for item in films
    )
    return _csv(MOVIELENS, rows, "\n")


def write_zip(path: Path, files: dict[str, str]) -> Path:
    """Write files into a zip."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


def _csv(header: str, rows: Iterable[Sequence[object]], end: str = "\r\n") -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator=end).writerows([header.split(","), *rows])
    return text.getvalue()


def _stars(half: int) -> str:
    return f"{half / 2:g}"
