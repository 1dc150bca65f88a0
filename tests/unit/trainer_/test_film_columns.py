"""Columns of films: genres of any vocabulary, optional fields, and tables beside that of films."""

import csv
import io
from pathlib import Path

import pytest

from marquee.domain.movies import Movie
from marquee.errors import DataError
from trainer.datasets.files.options import ImportOptions
from trainer.datasets.import_report import ImportReport
from trainer.datasets.reader import read_dataset

CAST = "[{'cast_id': 1, 'character': \"Neil\", 'name': 'Robert De Niro', 'profile_path': None}]"
CREW = "[{'job': 'Editor', 'name': 'Dov Hoenig'}, {'job': 'Director', 'name': 'Michael Mann'}]"


def table(*rows: tuple[object, ...]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()


def read(folder: Path, **files: str) -> tuple[list[Movie], ImportReport, list[str]]:
    folder.mkdir()
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    data, report = read_dataset(folder, ImportOptions.parse())
    return list(data.movies), report, report.lines(data)


def genres_of(folder: Path, *cells: str) -> list[tuple[str, ...]]:
    rows = [(i, f"Фильм {i}", cell) for i, cell in enumerate(cells, 1)]
    return [
        movie.genres for movie in read(folder, f__csv=table(("id", "title", "genres"), *rows))[0]
    ]


def test_genres_in_russian_are_taken_in_their_most_frequent_spelling(tmp_path: Path) -> None:
    cells = ("Драма|комедия", "драма", "Драма | Комедия", "Комедия", "")
    assert genres_of(tmp_path / "x", *cells) == [
        ("Драма", "Комедия"), ("Драма",), ("Драма", "Комедия"), ("Комедия",), (),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (("Sci-Fi/Fantasy|War", "Drama"), [("Sci-Fi/Fantasy", "War"), ("Drama",)]),
        (("Sci-Fi/Fantasy, War", "Drama"), [("Sci-Fi/Fantasy", "War"), ("Drama",)]),
        (("Драма; Мелодрама", "Боевик"), [("Драма", "Мелодрама"), ("Боевик",)]),
        (("War / Drama", "Drama"), [("War", "Drama"), ("Drama",)]),
        (("['Драма', 'Ужасы']", "[]"), [("Драма", "Ужасы"), ()]),
        (('[{"id": 1, "name": "Драма", "x": null}]', "[]"), [("Драма",), ()]),
        (("Children's|(no genres listed)", "unknown"), [("Children",), ()]),
    ],
)
def test_a_separator_is_that_of_the_column(
    tmp_path: Path, cells: tuple[str, ...], expected: list[tuple[str, ...]]
) -> None:
    assert genres_of(tmp_path / "x", *cells) == expected


def test_more_than_64_genres_are_refused_with_the_remedy(tmp_path: Path) -> None:
    cells = [f"жанр {i}" for i in range(64)]
    assert len(genres_of(tmp_path / "x", *cells)) == 64
    with pytest.raises(DataError, match=r"65 genres.*'Редкий'.*--columns genres=COLUMN"):
        genres_of(tmp_path / "y", *cells, *cells, "Редкий")


def test_what_is_no_name_of_a_genre_is_left_out_and_told(tmp_path: Path) -> None:
    rows = [(1, "A", "Drama|" + "x" * 41), (2, "B", "Drama|War")]
    movies, report, lines = read(tmp_path / "x", f__csv=table(("id", "title", "genres"), *rows))
    assert [movie.genres for movie in movies] == [("Drama",), ("Drama", "War")]
    assert report.refused["genres"][0] == 1
    assert "2 genres: Drama 2, War 1" in lines


def test_optional_columns_are_read(tmp_path: Path) -> None:
    header = (
        "id", "title", "runtime", "original_language", "language", "Certificate", "description",
        "poster_url", "actors", "director", "keywords", "mood",
    )  # fmt: skip
    rows = [
        (1, "Heat", "170 min", "en", "fr", "16+", " A heist. ", "https://example.org/1.jpg",
         "Al Pacino, Robert De Niro", "Michael Mann", "heist|police", "dark"),
        (2, "Ёлки", "90.0", "English", "Russian", "", "", "/2.jpg", "", "", "[]", ""),
        (3, "Брат", "0", "ru", "", "n/a", "nan", "", "", "", "", ""),
    ]  # fmt: skip
    movies, report, lines = read(tmp_path / "x", f__csv=table(header, *rows))
    assert [movie.present_fields() for movie in movies] == [
        {
            "runtime": 170, "language": "fr", "certificate": "16+", "overview": "A heist.",
            "poster_url": "https://example.org/1.jpg", "keywords": ["heist", "police"],
            "people": ["Al Pacino", "Robert De Niro", "Michael Mann"], "moods": ["dark"],
        },
        {"runtime": 90},
        {},
    ]  # fmt: skip
    assert report.refused == {"language": (1, "Russian"), "poster": (1, "/2.jpg")}
    assert "films with runtime 2, language 1, certificate 1" in str(lines)
    assert "warning: language: 1 that cannot be read are left out, as 'Russian'" in lines


def test_the_movies_dataset_has_people_and_keywords_in_tables_of_their_own(tmp_path: Path) -> None:
    movies, _, _ = read(
        tmp_path / "x",
        movies_metadata__csv=table(
            ("genres", "id", "original_language", "overview", "poster_path", "runtime", "title"),
            ("[{'id': 18, 'name': 'Science Fiction'}]", 949, "en", "Obsessive.", "/p.jpg", 170.0,
             "Heat"),
        ),
        credits__csv=table(("cast", "crew", "id"), (CAST, CREW, 949), (CAST, CREW, 5)),
        keywords__csv=table(("id", "keywords"), (949, "[{'id': 1, 'name': 'robbery'}]")),
        links__csv=table(("movieId", "imdbId", "tmdbId"), (6, 113277, 949)),
        ratings__csv=table(("userId", "movieId", "rating"), (1, 6, 4.5)),
    )  # fmt: skip
    assert (movies[0].movie_id, movies[0].genres) == (6, ("Science Fiction",))
    assert movies[0].present_fields() == {
        "runtime": 170, "language": "en", "overview": "Obsessive.",
        "people": ["Robert De Niro", "Michael Mann"], "keywords": ["robbery"],
        "links": {"imdb": "tt0113277", "tmdb": 949},
    }  # fmt: skip


def test_tmdb_5000_repeats_titles_in_its_credits(tmp_path: Path) -> None:
    movies, report, _ = read(
        tmp_path / "x",
        tmdb_5000_movies__csv=table(
            ("budget", "genres", "id", "keywords", "overview", "runtime", "title", "release_date"),
            (1, '[{"id": 1, "name": "Crime"}]', 949, '[{"name": "robbery"}]', "One.", 170, "Heat",
             "1995-12-15"),
        ),
        tmdb_5000_credits__csv=table(
            ("movie_id", "title", "cast", "crew"),
            (949, "Heat", '[{"name": "Al Pacino", "x": null}]', CREW.replace("'", '"')),
        ),
    )  # fmt: skip
    assert (movies[0].year, movies[0].people) == (1995, ("Al Pacino", "Michael Mann"))
    assert movies[0].keywords == ("robbery",)
    assert not report.unread
