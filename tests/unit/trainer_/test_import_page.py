"""The page on imports shows what a check says of each dialect; this writes it, or finds it stale.

Run as a script it writes the examples into the page: python tests/unit/trainer_/test_import_page.py
"""

import io
import json
import os
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import chdir
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from typer.testing import CliRunner

from trainer.cli.main import app

PAGE = Path(__file__).resolve().parents[3] / "docs" / "how-to" / "import.md"
BEGIN, END = "<!-- examples: begin -->\n", "<!-- examples: end -->\n"
MEND = "run: python tests/unit/trainer_/test_import_page.py"

FILMS = [
    (1, "Сталкер", 1979, "Drama|Sci-Fi"),
    (2, "Андрей Рублёв", 1966, "Drama|War"),
    (3, "Иваново детство", 1962, "War"),
    (4, "Белое солнце пустыни", 1970, "Adventure|Comedy"),
    (5, "Летят журавли", 1957, "Romance|War"),
]
MARKS = [(1, 1, 9), (1, 2, 7), (1, 4, 10), (2, 1, 4), (2, 3, 8), (2, 5, 6), (3, 2, 10), (3, 5, 3)]
TIME = 1_700_000_000
UUIDS = [f"3f2504e0-4f89-41d3-9a0c-0305e82c330{i}" for i in range(4)]


class Example(NamedTuple):
    """A data set in a dialect: what it shows, its files, and how it is checked."""

    title: str
    name: str
    write: Callable[[Path], None]
    options: tuple[str, ...] = ()


def lines(*rows: tuple[object, ...], separator: str = ",") -> str:
    return "".join(separator.join(map(str, row)) + "\n" for row in rows)


def semicolons(folder: Path) -> None:
    films = lines(("film", "title", "year", "genres"), *FILMS, separator=";")
    (folder / "films.csv").write_bytes(films.encode("cp1251"))
    (folder / "marks.csv").write_text(lines(("user", "film", "score"), *MARKS, separator=";"))


def tabs(folder: Path) -> None:
    marks = [(u, m, h / 2, TIME + u) for u, m, h in MARKS]
    (folder / "films.tsv").write_text(
        lines(("id", "name", "releaseYear", "genre"), *FILMS, separator="\t")
    )
    header = ("viewer_id", "film_id", "stars", "rated_at")
    (folder / "ratings.tsv").write_text(lines(header, *marks, separator="\t"))


def json_lines(folder: Path) -> None:
    films = [{"movieId": i, "title": t, "year": y, "genres": g.split("|")} for i, t, y, g in FILMS]
    marks = [
        {"userId": f"user:{u}", "movieId": m, "rating": h / 2, "timestamp": TIME + m}
        for u, m, h in MARKS
    ]
    for name, rows in (("films", films), ("ratings", marks)):
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / f"{name}.jsonl").write_text(text)


def parquet(folder: Path) -> None:
    films = pd.DataFrame(FILMS, columns=["item_id", "title", "year", "genres"])
    films["genres"] = films["genres"].str.split("|")
    films.to_parquet(folder / "items.parquet")
    marks = pd.DataFrame(MARKS, columns=["user_id", "item_id", "rating"])
    marks["rating"] /= 2
    marks["timestamp"] = pd.to_datetime(TIME + marks["user_id"], unit="s")
    marks.to_parquet(folder / "interactions.parquet")


def zip_in_zip(folder: Path) -> None:
    marks = [(u, m, h / 2, TIME + u) for u, m, h in MARKS]
    titles = [(i, f"{title} ({year})", genres) for i, title, year, genres in FILMS]
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as out:
        out.writestr("ml/movies.csv", lines(("movieId", "title", "genres"), *titles))
        header = ("userId", "movieId", "rating", "timestamp")
        out.writestr("ml/ratings.csv", lines(header, *marks))
        out.writestr("ml/links.csv", lines(("movieId", "imdbId", "tmdbId"), (1, "0079944", 1398)))
    with zipfile.ZipFile(folder / "download.zip", "w") as outer:
        outer.writestr("release.zip", inner.getvalue())


def no_times(folder: Path) -> None:
    (folder / "movies.csv").write_text(lines(("movieId", "title", "year", "genres"), *FILMS))
    marks = [(u, m, h / 2) for u, m, h in MARKS]
    (folder / "ratings.csv").write_text(lines(("userId", "movieId", "rating"), *marks))


def likes(folder: Path) -> None:
    (folder / "movies.csv").write_text(lines(("movieId", "title", "year", "genres"), *FILMS))
    clicks = [(u, m, TIME + 60 * m) for u, m, _ in MARKS]
    (folder / "clicks.csv").write_text(lines(("user", "movie", "timestamp"), *clicks))


def uuids(folder: Path) -> None:
    films = [(f"tt{79943 + i:07}", *row) for i, *row in FILMS]
    (folder / "movies.csv").write_text(lines(("movieId", "title", "year", "genres"), *films))
    marks = [(UUIDS[u], f"tt{79943 + m:07}", h / 2, "2023-11-14T22:13:20Z") for u, m, h in MARKS]
    marks += [(UUIDS[1], "tt0079946", 2.0, "2023-11-15 10:00:00"), ("no id!", "tt0079946", 5, "")]
    (folder / "ratings.csv").write_text(lines(("userId", "movieId", "rating", "date"), *marks))


def netflix(folder: Path) -> None:
    titles = "1,2003,Dinosaur Planet\n2,NULL,Roti, Kapada Aur Makaan\n3,1994,Les Misérables\n"
    (folder / "movie_titles.csv").write_bytes(titles.encode("latin-1"))
    rows = ["1488844,3,2005-09-06", "822109,5,2005-05-13", "885013,4,2005-10-19"]
    text = "".join(
        f"{film}:\n" + "".join(f"{row}\n" for row in rows[film - 1 :]) for film in (1, 3)
    )
    (folder / "combined_data_1.txt").write_text(text)


EXAMPLES = [
    Example(
        "Semicolons, titles in cp1251, a scale of ten", "kino", semicolons, ("--scale", "1-10")
    ),
    Example("Tabs, and other names of columns", "tabs", tabs),
    Example("JSON lines, with lists of genres and ids that are strings", "lines", json_lines),
    Example("Parquet", "lake", parquet),
    Example("A zip in a zip, with links to IMDb and TMDB", "download.zip", zip_in_zip),
    Example("Ratings without times", "undated", no_times),
    Example("Rows that are likes", "clicks", likes, ("--likes",)),
    Example("UUIDs and ids of IMDb, dates, and a row with a bad id", "shop", uuids),
    Example("The Netflix Prize", "netflix", netflix),
]


def shown(example: Example, folder: Path) -> Iterator[str]:
    """Yield an example as the page has it, with what a check says of it."""
    place = folder if example.name.endswith(".zip") else folder / example.name
    place.mkdir(exist_ok=True)
    example.write(place)
    arguments = ["data", "check", example.name, *example.options]
    with chdir(folder):
        result = CliRunner().invoke(app, ["--state", str(folder / "state"), *arguments])
    assert result.exit_code == 0, result.output
    yield f"{example.title}:\n\n```text\n$ marquee {' '.join(arguments)}\n"
    yield f"{result.stdout}```\n\n"


def examples() -> str:
    """Return the examples of all dialects."""
    with tempfile.TemporaryDirectory() as folder:
        return "".join(text for example in EXAMPLES for text in shown(example, Path(folder)))


def page_with(text: str) -> str:
    """Return the page with its examples."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, found, after = rest.partition(END)
    assert found, f"{PAGE.name} has no marks of its examples"
    return f"{before}{BEGIN}\n{text}{END}{after}"


def test_the_page_shows_what_a_check_says() -> None:
    assert PAGE.read_text() == page_with(examples()), f"the page on imports is stale; {MEND}"


if __name__ == "__main__":
    os.environ.pop("MARQUEE_STATE", None)
    PAGE.write_text(page_with(examples()))
    sys.stderr.write(f"wrote {PAGE.name}\n")
