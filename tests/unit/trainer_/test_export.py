"""An export is read back as the same data set, to the last bit of its version."""

import csv
import json
import shutil
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet
from pydantic import ValidationError

from marquee.domain.ids import GivenId, as_given, id_text, parse_id_text
from marquee.domain.movies import Movie, kept_movie_of
from marquee.errors import Conflict, DataError
from marquee.features.dataset import Dataset, make_dataset
from trainer.datasets.exports.export import Form, export_dataset
from trainer.datasets.files.options import ImportOptions
from trainer.datasets.reader import read_dataset
from trainer.history.history import History

TITLES = [
    "Film",
    "Matrix, The",
    "Heat (1995)",
    ' "Weird"; Al\tLive ',
    "Сталкер",
    "two\nlines",
    "A|B",
    "'",
    "=1+1",
    "[x]",
]
OPTIONAL = {"overview": "О\nснах", "links": {"tmdb": 5}, "people": ["a\u202eb"]}


def catalogue(ids: list[int]) -> list[Movie]:
    """Return films as they may be kept: some have titles that are no longer accepted."""
    return [
        kept_movie_of(
            {
                "movie_id": as_given(movie_id),
                "title": TITLES[i % len(TITLES)],
                "year": None if i % 3 == 0 else 1950 + i,
                "genres": ("Drama", "Комедия, новая", "Sci-Fi", "sci fi | 2")[: i % 5],
                "tags": {"slow, but good": 1 / (i + 2), "T\x1b": 0.3, "a  b": 1.0} if i % 2 else {},
                **({"runtime": 90 + i, **OPTIONAL} if i % 3 else {}),
            }
        )
        for i, movie_id in enumerate(ids)
    ]


def made(users: list[int], films: list[int]) -> Dataset:
    n = len(users) * len(films)
    rng = np.random.default_rng(1)
    user_ids = np.repeat(np.array(users, np.int64), len(films))
    movie_ids = np.tile(np.array(films, np.int64), len(users))
    half_stars = rng.integers(1, 11, n).astype(np.uint8)
    times = rng.integers(0, 2**31, n)
    texts = {int(user): user.text for user in users if isinstance(user, GivenId)}
    return make_dataset(user_ids, movie_ids, half_stars, times, catalogue(films), texts)


WHOLE = (list(range(1, 30)), list(range(1, 21)))
STRINGS = (
    [GivenId(text) for text in ("u:1", "007", "-007", "-0", "1.0", "a@b.c", "Z-_9")],
    [GivenId(f"tt{i:07}") for i in range(12)],
)
AS_TEXT = ([1, 2], [1, GivenId("2"), GivenId("03"), GivenId("40")])
MIXED = ([7, GivenId("seven"), 2**63 - 1], [1, GivenId("one"), 2**40])


@pytest.mark.parametrize("form", ["csv", "parquet"])
@pytest.mark.parametrize("ids", [WHOLE, STRINGS, MIXED, AS_TEXT])
def test_an_export_comes_back_as_the_same_data_set(
    tmp_path: Path, ids: tuple[list[int], list[int]], form: Form
) -> None:
    data = made(*ids)
    export_dataset(data, tmp_path / "out", form)
    again, report = read_dataset(tmp_path / "out")
    assert again.version == data.version
    assert again.user_texts == data.user_texts
    assert [as_given(m.movie_id) for m in again.movies] == [
        as_given(m.movie_id) for m in data.movies
    ]
    assert (report.malformed, report.replaced, report.unread) == (0, 0, ())
    assert [id_text(m.movie_id) for m in again.movies] == [id_text(m.movie_id) for m in data.movies]


def test_rows_in_any_order_are_one_data_set_whatever_bits_their_ids_have() -> None:
    ids = np.array([-(2**63) + 1, -(2**62), -5, 1, 7, 2**62, 2**63 - 1], np.int64)
    users, films = np.repeat(ids, len(ids)), np.tile(ids, len(ids))
    halves, times = np.full(len(users), 8, np.uint8), np.zeros(len(users), np.int64)
    movies = [Movie(movie_id=i, title="Film") for i in ids.tolist() if i > 0]
    versions = {
        make_dataset(users[order], films[order], halves, times, movies).version
        for order in (np.random.default_rng(seed).permutation(len(users)) for seed in range(20))
    }
    assert len(versions) == 1
    once = make_dataset(users, films, halves, times, movies)
    assert len(once) == len(ids) * len(movies)
    twice = [np.tile(column, 2) for column in (users, films, times)]
    doubled = make_dataset(twice[0], twice[1], np.tile(halves, 2), twice[2], movies)
    assert doubled.version == once.version


def test_a_zip_of_an_export_one_folder_down_comes_back_too(tmp_path: Path) -> None:
    data = made(*MIXED)
    export_dataset(data, tmp_path / "x" / "out", "csv")
    shutil.make_archive(str(tmp_path / "packed"), "zip", tmp_path / "x")
    assert read_dataset(tmp_path / "packed.zip")[0].version == data.version


def test_films_alone_come_back(tmp_path: Path) -> None:
    data = made([], [1, 2, 3])
    for form in ("csv", "parquet"):
        export_dataset(data, tmp_path / form, form)
        assert read_dataset(tmp_path / form)[0].version == data.version


def can_be_stored(text: str) -> bool:
    try:
        return bool(Movie(movie_id=1, title=text, tags={text: 1.0}))
    except ValidationError:
        return False


TEXTS = st.one_of(
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=20),
    st.text("ab\r\n\0\x1a\x1c\x85\u2028\ufeff\",;|[' ", min_size=1, max_size=6),
).filter(can_be_stored)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(
    titles=st.lists(TEXTS, min_size=1, max_size=8),
    tags=st.dictionaries(TEXTS, st.floats(0, 1), max_size=5),
    form=st.sampled_from(["csv", "parquet"]),
)
def test_any_titles_and_tags_come_back(
    tmp_path_factory: pytest.TempPathFactory, titles: list[str], tags: dict[str, float], form: Form
) -> None:
    movies = [Movie(movie_id=i, title=title, tags=tags) for i, title in enumerate(titles, 1)]
    empty = np.zeros(0, np.int64)
    data = make_dataset(empty, empty, empty.astype(np.uint8), empty, movies)
    folder = tmp_path_factory.mktemp("export") / "out"
    export_dataset(data, folder, form)
    assert read_dataset(folder)[0].version == data.version


def test_an_export_of_a_history_is_its_data_set(tmp_path: Path) -> None:
    data = made(*WHOLE)
    History(tmp_path / "one", 2).import_dataset(data)
    export_dataset(History(tmp_path / "one", 2).dataset()[0], tmp_path / "out", "csv")
    History(tmp_path / "two", 2).import_dataset(read_dataset(tmp_path / "out")[0])
    assert History(tmp_path / "two", 2).dataset()[0].version == data.version
    about = json.loads((tmp_path / "out" / "export.json").read_text())
    assert about["data_version"] == data.version


def test_a_folder_with_files_and_an_empty_history_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for directory in (tmp_path, tmp_path / "file"):
        with pytest.raises(Conflict, match="not an empty folder; name another one"):
            export_dataset(made(*WHOLE), directory)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no films to export"):
        export_dataset(History(tmp_path / "none", 2).dataset()[0], tmp_path / "empty")
    export_dataset(made(*WHOLE), tmp_path / "empty")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "file"]


@pytest.mark.parametrize("text", ["", "[]", '{"film_ids_as_text": 3}'])
def test_a_damaged_export_is_named(tmp_path: Path, text: str) -> None:
    export_dataset(made(*WHOLE), tmp_path / "out")
    (tmp_path / "out" / "export.json").write_text(text)
    with pytest.raises(DataError, match=r"export\.json is damaged: export it again, or remove"):
        read_dataset(tmp_path / "out")


def test_an_export_of_a_later_form_is_refused(tmp_path: Path) -> None:
    export_dataset(made(*WHOLE), tmp_path / "out")
    about = json.loads((tmp_path / "out" / "export.json").read_text())
    (tmp_path / "out" / "export.json").write_text(json.dumps({**about, "format": 2}))
    with pytest.raises(DataError, match="of format 2, and this release reads up to 1"):
        read_dataset(tmp_path / "out")


@pytest.mark.parametrize("table", ["ratings", "movies"])
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_an_export_that_was_cut_is_told(tmp_path: Path, table: str, form: Form) -> None:
    data = made(*WHOLE)
    export_dataset(data, tmp_path / "out", form)
    path = tmp_path / "out" / f"{table}.{form}"
    if form == "csv":
        lines = path.read_text().splitlines(keepends=True)
        path.write_text("".join(lines[:-1]))
    else:
        rows = parquet.read_table(path)
        parquet.write_table(rows.slice(0, len(rows) - 1), path)
    loss = ImportOptions(max_loss=1.0) if table == "movies" else None
    with pytest.raises(DataError, match=r"export\.json states .* the export was cut or changed"):
        read_dataset(tmp_path / "out", loss)
    (tmp_path / "out" / "export.json").unlink()
    read_dataset(tmp_path / "out", ImportOptions(max_loss=1.0))


def test_a_user_whose_text_is_lost_is_named_and_nothing_is_left(tmp_path: Path) -> None:
    data = made(*MIXED)
    data.user_texts.clear()  # type: ignore[attr-defined]
    with pytest.raises(DataError, match=r"user -\d+: the text of the id is not known"):
        export_dataset(data, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
    assert as_given(data.movies[0].movie_id) == "one"


@pytest.mark.parametrize("ids", [STRINGS, MIXED, AS_TEXT])
def test_an_export_of_a_history_gives_strings_back(
    tmp_path: Path, ids: tuple[list[int], list[int]]
) -> None:
    data = made(*ids)
    History(tmp_path / "one", 2).import_dataset(data)
    export_dataset(History(tmp_path / "one", 2).dataset()[0], tmp_path / "out", "csv")
    again = read_dataset(tmp_path / "out")[0]
    assert (again.version, again.user_texts) == (data.version, data.user_texts)


@settings(max_examples=30, deadline=None)
@given(texts=st.lists(st.from_regex(r"-?[0-9.]{1,6}", fullmatch=True), min_size=1, max_size=5))
def test_ids_that_look_like_numbers_come_back(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    ids = []
    for text in dict.fromkeys(texts):
        with suppress(ValueError):
            ids.append(parse_id_text(text))
    data = made(ids, [1, 2])
    folder = tmp_path_factory.mktemp("export") / "out"
    export_dataset(data, folder)
    again = read_dataset(folder)[0]
    assert (again.version, again.user_texts) == (data.version, data.user_texts)


def test_what_is_said_of_other_files_is_not_said_of_an_export(tmp_path: Path) -> None:
    data = made(*WHOLE)
    options = ImportOptions.parse(encoding="cp1251", separator="tab")
    for form in ("csv", "parquet"):
        export_dataset(data, tmp_path / form, form)
        assert read_dataset(tmp_path / form, options)[0].version == data.version


LINES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30)
LISTS = st.none() | st.lists(LINES.map(str.strip).filter(len), max_size=4).map(tuple)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "runtime": st.integers(1, 6000),
        "language": st.sampled_from(["ru", "pt-BR"]),
        "certificate": LINES.map(str.strip).filter(len),
        "overview": LINES | st.sampled_from(["null", "[]", "a\rb", '"', ",", " "]),
        "poster_url": st.just("https://example.org/a,b.jpg"),
        "links": st.fixed_dictionaries(
            {},
            optional={
                "imdb": st.from_regex(r"tt[0-9]{5,12}", fullmatch=True),
                "tmdb": st.integers(1, 2**53),
            },
        ),
        "people": LISTS,
        "keywords": LISTS,
        "moods": LISTS,
    },
)


def of_films(fields: list[dict[str, object]]) -> Dataset:
    movies = [
        kept_movie_of({"movie_id": i, "title": "Film"} | of_one)
        for i, of_one in enumerate(fields, 1)
    ]
    empty = np.zeros(0, np.int64)
    return make_dataset(empty, empty, empty.astype(np.uint8), empty, movies)


@settings(max_examples=150, deadline=None)
@given(st.lists(FIELDS, min_size=1, max_size=6), st.sampled_from(["csv", "parquet"]))
def test_any_optional_fields_come_back(
    tmp_path_factory: pytest.TempPathFactory, fields: list[dict[str, object]], form: Form
) -> None:
    data = of_films(fields)
    folder = tmp_path_factory.mktemp("fields") / "out"
    export_dataset(data, folder, form)
    again, report = read_dataset(folder)
    assert again.movies == data.movies
    assert (again.version, report.refused) == (data.version, {})


WHOLE_FILM: dict[str, object] = {
    "runtime": 161,
    "language": "ru",
    "overview": "The Zone, and a room.",
    "people": ["Андрей Тарковский", "Александр Кайдановский"],
    "links": {"imdb": "tt0079944", "tmdb": 1398},
}


def test_optional_fields_are_columns_that_anybody_reads(tmp_path: Path) -> None:
    export_dataset(of_films([WHOLE_FILM]), tmp_path / "out")
    header, row = csv.reader((tmp_path / "out" / "movies.csv").read_text().splitlines())
    assert header == [
        "movieId",
        "title",
        "year",
        "genres",
        "runtime",
        "language",
        "overview",
        "people",
    ]
    assert row[:-1] == ["1", "Film", "", "", "161", "ru", "The Zone, and a room."]
    assert json.loads(row[-1]) == WHOLE_FILM["people"]
    _, links = csv.reader((tmp_path / "out" / "links.csv").read_text().splitlines())
    assert links == ["1", "tt0079944", "1398"]
    (tmp_path / "out" / "export.json").unlink()  # then it is a data set as any other
    (movie,) = read_dataset(tmp_path / "out")[0].movies
    assert movie == of_films([WHOLE_FILM]).movies[0]


def test_an_export_of_an_older_form_comes_back(tmp_path: Path) -> None:
    data = of_films([WHOLE_FILM, {}])
    export_dataset(of_films([{}, {}]), tmp_path / "out")
    with (tmp_path / "out" / "movies.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["movieId", "title", "year", "genres", "marqueeFields"])
        writer.writerow([1, "Film", "", "", json.dumps(WHOLE_FILM)])
        writer.writerow([2, "Film", "", "", "{}"])
    assert read_dataset(tmp_path / "out")[0].version == data.version


def test_keywords_beside_an_export_are_added(tmp_path: Path) -> None:
    export_dataset(of_films([WHOLE_FILM, {}]), tmp_path / "out")
    (tmp_path / "out" / "movies.csv").write_text(
        'movieId,title,year,genres,marqueeFields\n1,A,,,"{""runtime"": 90}"\n2,B,,,\n'
    )
    (tmp_path / "out" / "keywords.csv").write_text("movieId,keywords\n1,war\n2,space\n")
    movies = read_dataset(tmp_path / "out")[0].movies
    assert [(m.runtime, m.keywords) for m in movies] == [(90, ("war",)), (None, ("space",))]


def test_a_cell_of_an_export_that_was_changed_is_read_as_of_any_table(tmp_path: Path) -> None:
    export_dataset(of_films([WHOLE_FILM]), tmp_path / "out")
    path = tmp_path / "out" / "movies.csv"
    path.write_text(
        "movieId,title,runtime,language,people,marqueeFields\n"
        "1,Film,161 min,Russian,A|B,\n2,Film,90,ru,,{\n"
    )
    data, report = read_dataset(tmp_path / "out")
    assert (data.movies[0].runtime, data.movies[0].people) == (161, ("A", "B"))
    assert (data.movies[1].runtime, set(report.refused)) == (90, {"language", "fields"})
