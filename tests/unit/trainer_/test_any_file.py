"""Files of other origin: dialects, encodings, columns, scales and times, and what is lost."""

import csv
import gzip
import io
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marquee.domain.genres import genre_key
from marquee.domain.ids import as_given
from marquee.errors import DataError
from trainer.datasets.columns.titles import split_title
from trainer.datasets.files.options import ImportOptions
from trainer.datasets.import_report import ImportReport
from trainer.datasets.reader import read_dataset

USERS, MOVIES = 40, 60
RATINGS = [
    (u, (u * 7 + i * 3) % MOVIES + 1, (u + i) % 10 + 1)
    for u in range(1, USERS + 1)
    for i in range(20)
]
HEADER = ("userId", "movieId", "rating", "timestamp")
FILMS = [(i, f"Film {i} ({1950 + i})", "Drama|Comedy") for i in range(1, MOVIES + 1)]


def table(header: tuple[str, ...], rows: list[tuple[object, ...]], separator: str = ",") -> str:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=separator, lineterminator="\n")
    writer.writerows([header, *rows])
    return out.getvalue()


def ratings(separator: str = ",", header: tuple[str, ...] = HEADER) -> str:
    rows: list[tuple[object, ...]] = [(u, m, h / 2, 10**9 + u) for u, m, h in RATINGS]
    return table(header, [row[: len(header)] for row in rows], separator)


def films(separator: str = ",") -> str:
    return table(("movieId", "title", "genres"), list(FILMS), separator)


def written(folder: Path, **files: str | bytes) -> Path:
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        data = content.encode() if isinstance(content, str) else content
        (folder / name.replace("__", ".")).write_bytes(data)
    return folder


def read(folder: Path, **options: object) -> tuple[list[tuple[int, int, int]], ImportReport]:
    data, report = read_dataset(folder, ImportOptions.parse(**options))  # type: ignore[arg-type]
    columns = (data.user_ids, data.movie_ids, data.half_stars)
    return sorted(zip(*(column.tolist() for column in columns), strict=True)), report


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_separators_are_recognised_and_told(tmp_path: Path, separator: str) -> None:
    text = films(separator).replace("|", "/") if separator == "|" else films(separator)
    movies = text.replace("/", "|", 0) if separator != "|" else table(
        ("movieId", "title", "genres"), [(i, t, "Drama, Comedy") for i, t, _ in FILMS], "|"
    )  # fmt: skip
    folder = written(tmp_path / "x", ratings__csv=ratings(separator), movies__csv=movies)
    found, report = read(folder)
    assert found == sorted(RATINGS)
    assert report.refused == {}
    name = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}[separator]
    assert all(f"{name}-separated" in file.how for file in report.read)


@pytest.mark.parametrize(
    "header",
    [
        ("user_id", "item_id", "score", "date"),
        ("UserID", "MovieID", "Rating", "Timestamp"),
        ("uid", "film", "stars"),
    ],
)
def test_columns_are_known_by_name_and_need_no_time(
    tmp_path: Path, header: tuple[str, ...]
) -> None:
    folder = written(tmp_path / "x", ratings__csv=ratings(header=header), movies__csv=films())
    assert read(folder)[0] == sorted(RATINGS)


def test_columns_in_another_order_with_others_between_them(tmp_path: Path) -> None:
    rows: list[tuple[object, ...]] = [(h / 2, "a, note", m, "x", u) for u, m, h in RATINGS]
    text = table(("rating", "comment", "movieId", "device", "userId"), rows)
    folder = written(tmp_path / "x", ratings__csv=text, movies__csv=films())
    assert read(folder)[0] == sorted(RATINGS)


def test_quoted_columns_with_separators_and_line_ends_between_them(tmp_path: Path) -> None:
    comment = 'good, "very"\nwith popcorn'
    rows: list[tuple[object, ...]] = [(u, comment, m, h / 2) for u, m, h in RATINGS]
    text = table(("userId", "comment", "movieId", "rating"), rows)
    folder = written(tmp_path / "x", ratings__csv=text, movies__csv=films())
    found, report = read(folder)
    assert (found, report.malformed) == (sorted(RATINGS), 0)
    plain = table(
        ("userId", "comment", "movieId", "rating"), [(u, "x", m, h / 2) for u, m, h in RATINGS]
    )
    lines = plain.splitlines(keepends=True)
    written(folder, ratings__csv="".join([*lines[:-4], '9,"open,1,3.0\n', *lines[-4:]]))
    found, report = read(folder)
    assert (len(found) >= len(RATINGS), report.malformed) == (True, 0)
    assert (9, 1, 6) in found  # a quote that closes nowhere hides no number
    written(folder, ratings__csv="".join([*lines[:-4], "broken\n", '9,"open,1,3.0\n', *lines[-4:]]))
    _, report = read(folder, max_loss="5%")
    assert (report.malformed, report.files[1].hidden) == (6, 4)
    assert "line 799: a quote is not closed and hides the 4" in str(report.files[1].examples[1])


def test_columns_of_other_names_are_named_and_two_candidates_are_refused(tmp_path: Path) -> None:
    text = ratings(header=("who", "movieId", "mark"))
    folder = written(tmp_path / "x", ratings__csv=text, movies__csv=films())
    with pytest.raises(DataError, match=r"ratings\.csv: .*--columns"):
        read(folder)
    assert read(folder, columns="user=who,rating=mark")[0] == sorted(RATINGS)
    rows: list[tuple[object, ...]] = [(u, m, h / 2, h) for u, m, h in RATINGS]
    both = table(("userId", "movieId", "rating", "score"), rows)
    written(folder, ratings__csv=both)
    with pytest.raises(
        DataError, match="2 columns may be the rating.*rating=rating or rating=score"
    ):
        read(folder)
    assert read(folder, columns="rating=rating")[0] == sorted(RATINGS)
    written(folder, ratings__csv=both.replace("score", "rating", 1))
    with pytest.raises(DataError, match="rating: say --columns rating=rating for the first of one"):
        read(folder)
    assert read(folder, columns="rating=rating")[0] == sorted(RATINGS)


@pytest.mark.parametrize(
    ("encoding", "title"),
    [
        ("cp1251", "Сталкер и другие фильмы"),
        ("gb18030", "霸王别姬与活着"),
        ("cp1252", "Schindler’s Misérables"),
        ("utf-16", "Amélie"),
        ("utf-8-sig", "Amélie"),
    ],
)
def test_encodings_are_recognised_and_guesses_are_told(
    tmp_path: Path, encoding: str, title: str
) -> None:
    text = films().replace("Film", title)
    folder = written(
        tmp_path / "x", movies__csv=text.encode(encoding), ratings__csv=ratings().encode(
            "utf-16" if encoding == "utf-16" else "utf-8"
        )
    )  # fmt: skip
    data, report = read_dataset(folder)
    assert data.movies[0].title == f"{title} 1"
    if not encoding.startswith("utf"):
        assert f"{title} 1" in report.read[0].titles
        assert any("--encoding" in line for line in report.lines(data))


def test_an_encoding_that_shows_late_is_the_one_that_is_told(tmp_path: Path) -> None:
    rows = [
        (i, f"Film {i}" if i < 9000 else f"Сталкер и другие {i}", "Drama") for i in range(1, 9100)
    ]
    text = table(("movieId", "title", "genres"), list(rows)).encode("cp1251")
    _, report = read_dataset(written(tmp_path / "x", movies__csv=text))
    assert report.read[0].how.startswith("cp1251, comma-separated")
    assert report.read[0].titles == ("Сталкер и другие 9000", "Сталкер и другие 9001")


def test_utf_16_without_a_mark_is_named(tmp_path: Path) -> None:
    files = {
        "movies__csv": films().encode("utf-16-le"),
        "ratings__csv": ratings().encode("utf-16-le"),
    }
    folder = written(tmp_path / "x", **files)
    with pytest.raises(DataError, match="--encoding utf-16"):
        read(folder)
    assert read(folder, encoding="utf-16-le")[0] == sorted(RATINGS)


def test_an_encoding_that_does_not_fit_is_refused_by_line(tmp_path: Path) -> None:
    text = films().replace("Film 3 ", "Сталкер ").encode("cp1251")
    folder = written(tmp_path / "x", movies__csv=text, ratings__csv=ratings())
    with pytest.raises(DataError, match=r"movies\.csv, line 4: the text is not utf-8"):
        read(folder, encoding="utf-8")
    with pytest.raises(DataError, match="encoding 'latin-99' is not known"):
        read(folder, encoding="latin-99")


@pytest.mark.parametrize("character", ["\x00", "\x1b", "\u202e", "\u2066", "\x85"])
def test_control_characters_in_a_title_are_refused(tmp_path: Path, character: str) -> None:
    text = films().replace("Film 3 ", f"Film{character}3 ")
    if character == "\x00":
        with pytest.raises(DataError, match=r"movies\.csv: no text: it has zero bytes"):
            read(written(tmp_path / "x", movies__csv=text, ratings__csv=ratings()))
        return
    _, report = read(
        written(tmp_path / "x", movies__csv=text, ratings__csv=ratings()), max_loss="5%"
    )
    if character == "\x85":  # white space
        assert report.malformed == 0
        return
    (example,) = report.read[0].tally.examples
    assert str(example).endswith(f"control character U+{ord(character):04X}")


def test_an_open_quote_hides_rows_that_count_as_lost(tmp_path: Path) -> None:
    lines = films().splitlines()
    lines[10] = lines[10].replace("Film", '"Film')
    folder = written(tmp_path / "x", movies__csv="\n".join(lines) + "\n", ratings__csv=ratings())
    with pytest.raises(
        DataError, match=r"5\d of 60 rows .*line 11: a quote is not closed and hides"
    ):
        read(folder)


def test_ratings_without_films_are_a_loss_with_examples(tmp_path: Path) -> None:
    folder = written(tmp_path / "x", movies__csv=films(), ratings__csv=ratings())
    few = "\n".join(films().splitlines()[:31]) + "\n"
    written(folder, movies__csv=few)
    with pytest.raises(
        DataError, match=r"400 of 800 ratings are of films .*film \d+; film \d+.*--max-loss 50%"
    ):
        read(folder)
    found, report = read(folder, max_loss="50%")
    assert (len(found), report.ratings_without_movie, len(report.movies_missing)) == (400, 400, 2)


@pytest.mark.parametrize(
    ("scale", "factor"), [("1-10", 1), ("0-100", 10), ("1-5", 0.5), ("0-10", 1)]
)
def test_scales_are_mapped_to_half_stars(tmp_path: Path, scale: str, factor: float) -> None:
    rows: list[tuple[object, ...]] = [(u, m, h * factor) for u, m, h in RATINGS]
    kept = [row for row in rows if scale != "1-5" or float(str(row[2])) >= 1]
    folder = written(tmp_path / "x", movies__csv=films(), ratings__csv=table(HEADER[:3], kept))
    wanted = [(u, m, h) for u, m, h in RATINGS if scale != "1-5" or h >= 2]
    assert read(folder, scale=scale)[0] == sorted(wanted)


def test_ratings_beyond_stars_name_the_range_and_the_remedy(tmp_path: Path) -> None:
    rows: list[tuple[object, ...]] = [(u, m, h) for u, m, h in RATINGS]
    folder = written(tmp_path / "x", movies__csv=films(), ratings__csv=table(HEADER[:3], rows))
    with pytest.raises(DataError, match=r"ratings from 1 to 10.*--scale 1-10"):
        read(folder)


@pytest.mark.parametrize("name", ["ratings.csv", "movies.csv"])
def test_an_empty_file_is_named(tmp_path: Path, name: str) -> None:
    folder = written(tmp_path / "x", movies__csv=films(), ratings__csv=ratings())
    (folder / name).write_text("\n")
    with pytest.raises(DataError, match=f"{name}: it is empty; wanted is a header"):
        read(folder)


def test_every_row_is_a_like_if_that_is_said(tmp_path: Path) -> None:
    rows: list[tuple[object, ...]] = [(u, m) for u, m, _ in RATINGS]
    folder = written(tmp_path / "x", movies__csv=films(), ratings__csv=table(HEADER[:2], rows))
    found, _ = read(folder, every_row_likes=True)
    assert {half_stars for _, _, half_stars in found} == {10}


@pytest.mark.parametrize(
    "time", ["1112486027", "1112486027000", "2005-04-02 23:53:47", "2005-04-02T23:53:47Z"]
)
def test_times_in_seconds_milliseconds_and_dates(tmp_path: Path, time: str) -> None:
    rows: list[tuple[object, ...]] = [(u, m, h / 2, time) for u, m, h in RATINGS]
    folder = written(tmp_path / "x", movies__csv=films(), ratings__csv=table(HEADER, rows))
    data, report = read_dataset(folder)
    assert set(data.times.tolist()) == {1112486027}
    assert any("all equal" in line for line in report.lines(data))


def test_files_that_were_joined_have_their_header_twice(tmp_path: Path) -> None:
    more = films().replace("Film", "Other").splitlines()
    joined = films() + "\n".join([more[0], *(f"10{line}" for line in more[1:])]) + "\n"
    lines = ratings().splitlines()
    twice = "\n".join([lines[0], *lines]) + "\n"
    folder = written(tmp_path / "x", ratings__csv=twice, movies__csv=joined)
    found, report = read(folder)
    assert found == sorted(RATINGS)
    assert [str(example) for tally in report.files for example in tally.examples] == [
        "movies.csv, line 62: the header again",
        "ratings.csv, line 2: rating 'rating' is not a number",
    ]


def test_a_decimal_comma_between_semicolons(tmp_path: Path) -> None:
    text = ratings(";").replace(".", ",")
    folder = written(tmp_path / "x", movies__csv=films(";"), ratings__csv=text)
    assert read(folder)[0] == sorted(RATINGS)


@pytest.mark.parametrize(
    "genres",
    [
        "drama, comedy",
        "DRAMA|Comedy",
        "Drama / Comedy",
        '["Drama", "Comedy"]',
        "[{'id': 18, 'name': 'Drama'}, {'id': 35, 'name': 'Comedy'}]",
    ],
)
def test_genres_in_other_forms(tmp_path: Path, genres: str) -> None:
    text = table(("id", "title", "genres"), [(i, t, genres) for i, t, _ in FILMS])
    data, report = read_dataset(written(tmp_path / "x", movies__csv=text, ratings__csv=ratings()))
    assert [genre_key(name) for name in data.movies[0].genres] == ["drama", "comedy"]
    assert report.refused == {}


def test_genres_are_one_line(tmp_path: Path) -> None:
    text = table(("id", "title", "genres"), [(i, t, f"Жанр {i}") for i, t, _ in FILMS])
    data, report = read_dataset(written(tmp_path / "x", movies__csv=text, ratings__csv=ratings()))
    (line,) = [line for line in report.lines(data) if "genres: " in line]
    assert line.startswith("60 genres: Жанр 1 1, ")
    assert line.endswith("and 40 more")


def test_compressed_files_a_zip_in_a_zip_and_files_one_by_one(tmp_path: Path) -> None:
    folder = written(
        tmp_path / "x",
        ratings__csv__gz=gzip.compress(ratings().encode()),
        movies__csv__gz=gzip.compress(films().encode()),
    )
    assert read(folder)[0] == sorted(RATINGS)
    inner, outer = io.BytesIO(), tmp_path / "outer.zip"
    with zipfile.ZipFile(inner, "w") as out:
        out.writestr("ml/rating.csv", ratings())
        out.writestr("ml/movie.csv", films())
    with zipfile.ZipFile(outer, "w") as out:
        out.writestr("inner.zip", inner.getvalue())
    assert read(outer)[0] == sorted(RATINGS)
    named = written(tmp_path / "y", a__csv=ratings(), b__tsv=films("\t"))
    data, _ = read_dataset([named / "a.csv", named / "b.tsv"])
    assert len(data) == len(RATINGS)


def test_two_data_sets_or_two_tables_of_a_kind_are_refused_with_the_choices(tmp_path: Path) -> None:
    for name in ("one", "two"):
        written(tmp_path / name, ratings__csv=ratings(), movies__csv=films())
    with pytest.raises(DataError, match="2 data sets, in one, two"):
        read(tmp_path)
    written(tmp_path, ratings__csv=ratings(), movies__csv=films())  # the topmost one is meant
    assert read(tmp_path)[0] == sorted(RATINGS)
    folder = written(tmp_path / "three", a__csv=ratings(), b__csv=ratings(), movies__csv=films())
    with pytest.raises(DataError, match=r"2 tables of ratings: a\.csv, b\.csv"):
        read(folder)


def test_times_of_the_future_are_told(tmp_path: Path) -> None:
    rows: list[tuple[object, ...]] = [(u, m, h / 2, 4102444800) for u, m, h in RATINGS]
    folder = written(tmp_path / "x", movies__csv=films(), ratings__csv=table(HEADER, rows))
    data, report = read_dataset(folder)
    assert any(
        "800 ratings are of the future, up to 2100-01-01" in w for w in report.warnings(data)
    )


_TITLES = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cf", "Zl", "Zp")), max_size=30
).map(lambda text: f"x{text}y")


@settings(max_examples=60)
@given(
    titles=st.lists(_TITLES, min_size=1, max_size=12),
    separator=st.sampled_from([",", ";", "\t", "|"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    newline=st.sampled_from(["\n", "\r\n", "\r"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_a_catalogue_in_any_dialect_comes_back(
    tmp_path_factory: pytest.TempPathFactory,
    titles: list[str],
    separator: str,
    quoting: int,
    newline: str,
    encoding: str,
) -> None:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=separator, quoting=quoting, lineterminator=newline)  # type: ignore[arg-type]
    writer.writerow(["movieId", "title", "genres"])
    writer.writerows([(i, title, "Drama") for i, title in enumerate(titles, 1)])
    folder = tmp_path_factory.mktemp("catalogue")
    (folder / "movies.csv").write_bytes(out.getvalue().encode(encoding))
    data, _ = read_dataset(folder, ImportOptions.parse(separator=separator))
    found = [movie.title for movie in data.movies]
    assert found == [split_title(title)[0] for title in titles]


def test_a_table_that_is_not_read_is_told_and_ratings_without_a_role_are_refused(
    tmp_path: Path,
) -> None:
    links = "movieId,address\n1,2\n"
    folder = written(tmp_path / "x", movies__csv=films(), ratings__csv=ratings(), links__csv=links)
    data, report = read_dataset(folder)
    assert "not read: links.csv: the first line is 'movieId,address'" in report.lines(data)
    written(folder, marks__csv=ratings(header=("who", "movieId", "rating")))
    (folder / "ratings.csv").unlink()
    with pytest.raises(DataError, match=r"marks\.csv: ratings without a column for the user"):
        read(folder)
    assert read(folder, columns="user=who")[0] == sorted(RATINGS)


METADATA = (
    "adult",
    "genres",
    "id",
    "imdb_id",
    "original_title",
    "overview",
    "release_date",
    "title",
)


def test_the_movies_dataset_joins_its_films_by_links(tmp_path: Path) -> None:
    metadata: list[tuple[object, ...]] = [
        ("False", "[{'id': 18, 'name': 'Drama'}]", 1000 + i, f"tt{i:07}", "Film", "One,\ntwo.",
         f"{1950 + i % 60}-10-30", f"Film {i}")
        for i in range(1, MOVIES + 1)
    ]  # fmt: skip
    # As published: a row whose id is a date.
    broken = ("0.06", "[]", "1997-08-20", "0", "x", "y", "1", "z")
    links: list[tuple[object, ...]] = [(i, i, f"{1000 + i}") for i in range(1, MOVIES + 1)]
    folder = written(
        tmp_path / "x",
        movies_metadata__csv=table(METADATA, [*metadata, broken]),
        ratings__csv=ratings(),
        ratings_small__csv=ratings(),
        links__csv=table(("movieId", "imdbId", "tmdbId"), [*links, (99, 99, "")]),
    )
    data, report = read_dataset(folder)
    assert len(data) == len(RATINGS)
    assert [movie.movie_id for movie in data.movies] == list(range(1, MOVIES + 1))
    assert (data.movies[0].title, data.movies[0].year) == ("Film 1", 1951)
    assert data.movies[0].genres == ("Drama",)
    assert report.malformed == 1


def test_movie_tweetings_names_its_scale(tmp_path: Path) -> None:
    marks = "".join(f"{u}::{m:07}::{h}::1362062307\n" for u, m, h in RATINGS)
    movies = "".join(f"{i:07}::Film {i} (2013)::Drama|Comedy\n" for i in range(1, MOVIES + 1))
    folder = written(tmp_path / "x", ratings__dat=marks, movies__dat=movies)
    with pytest.raises(DataError, match=r"ratings from 1 to 10.*--scale 1-10"):
        read(folder)
    data, _ = read_dataset(folder, ImportOptions.parse(scale="0-10"))
    assert len(data) == len(RATINGS)
    # Its ids are those of IMDb, whose leading zeros belong to them.
    assert {as_given(movie.movie_id) for movie in data.movies} == {
        f"{i:07}" for i in range(1, MOVIES + 1)
    }


def test_ml_20m_as_kaggle_has_it(tmp_path: Path) -> None:
    lines = "".join(f'{u},{m},{h / 2},"2005-04-02 23:53:47"\n' for u, m, h in RATINGS)
    header = '"userId","movieId","rating","timestamp"\n'
    folder = written(tmp_path / "x", rating__csv=header + lines, movie__csv=films())
    data, _ = read_dataset(folder)
    assert (len(data), set(data.times.tolist())) == (len(RATINGS), {1112486027})


@pytest.mark.parametrize("form", ["parquet", "jsonl", "jsonl.gz", "zip"])
def test_json_lines_and_parquet(tmp_path: Path, form: str) -> None:
    frames = {
        "ratings": pd.DataFrame(
            {
                "user_id": [u for u, _, _ in RATINGS],
                "item_id": [m for _, m, _ in RATINGS],
                "rating": [h / 2 for _, _, h in RATINGS],
                "timestamp": pd.to_datetime(10**9 + np.arange(len(RATINGS)), unit="s"),
            }
        ),
        "movies": pd.DataFrame(
            {
                "item_id": [i for i, _, _ in FILMS],
                "title": [f"Фильм «{i}», \n2" for i, _, _ in FILMS],
                "genres": [["Drama", "Comedy"]] * len(FILMS),
            }
        ),
    }
    folder = tmp_path / "x"
    folder.mkdir()
    for name, frame in frames.items():
        if form.startswith("jsonl"):
            dated = frame.astype({"timestamp": str}) if name == "ratings" else frame
            dated.to_json(folder / f"{name}.{form}", orient="records", lines=True)
        else:
            frame.to_parquet(folder / f"{name}.parquet")
    if form == "zip":
        shutil.make_archive(str(tmp_path / "packed"), "zip", folder)
    data, _ = read_dataset(tmp_path / "packed.zip" if form == "zip" else folder)
    found = zip(
        *(x.tolist() for x in (data.user_ids, data.movie_ids, data.half_stars)), strict=True
    )
    assert sorted(found) == sorted(RATINGS)
    assert (int(data.times.min()), len(set(data.times.tolist()))) == (10**9, len(RATINGS))
    assert data.movies[0].title == "Фильм «1», 2"
    assert data.movies[0].genres == ("Drama", "Comedy")


def test_a_damaged_parquet_file_is_named(tmp_path: Path) -> None:
    folder = written(tmp_path / "x", movies__parquet=b"PAR1 no parquet", ratings__csv=ratings())
    with pytest.raises(DataError, match=r"movies\.parquet cannot be read"):
        read(folder)
