"""Tables with few letters beyond ASCII: the whole data set tells their encoding, or the user."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marquee.errors import DataError
from trainer.datasets.files.options import ImportOptions
from trainer.datasets.reader import read_dataset
from trainer.datasets.text.encodings import UncertainEncoding, decode, encoding_of_all

WORDS = [
    "Брат", "Сталкер", "Зеркало", "Солярис", "Курьер", "Левиафан", "оценка", "фильм", "дата"
]  # fmt: skip
TITLES = ["Сталкер", "Андрей Рублёв", "Иваново детство", "Летят журавли", "Белое солнце пустыни"]
MARKS = "".join(f"{u};{i};4.5;2020-01-0{u}\n" for u in (1, 2) for i in range(1, 6))


def films(titles: list[str] = TITLES, encoding: str = "cp1251") -> bytes:
    rows = "".join(f"{i};{title};Drama\n" for i, title in enumerate(titles, 1))
    return f"film;title;genres\n{rows}".encode(encoding)


def folder_of(path: Path, **files: bytes) -> Path:
    path.mkdir()
    for name, data in files.items():
        (path / f"{name}.csv").write_bytes(data)
    return path


@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=12), st.booleans())
def test_few_words_of_cyrillic_are_never_taken_for_another_script(
    words: list[str], is_between: bool
) -> None:
    text = "".join(f"Film ({word})\n" if is_between else f"{word}\n" for word in words)
    assert decode(text.encode("cp1251"), "x.csv").text == text


@pytest.mark.parametrize("word", ["Amélie", "Été", "Léon", "Noël", "à", "Fenêtre sur cour: «Oui»"])
def test_few_words_with_accents_are_western(word: str) -> None:
    assert decode(f"1;{word}\n".encode("cp1252"), "x.csv").text == f"1;{word}\n"


@pytest.mark.parametrize(
    ("word", "encoding"),
    [("霸王别姬", "gb18030"), ("霸王別姬", "big5"), ("羅生門", "euc_jp")],
)
def test_few_letters_of_several_bytes_are_asked_for(word: str, encoding: str) -> None:
    with pytest.raises(UncertainEncoding, match=r"x\.csv: too few letters .*--encoding"):
        decode(f"1;{word}\n".encode(encoding), "x.csv")


@settings(max_examples=25)
@given(st.sampled_from(["cp1251", "koi8_r", "gb18030", "big5", "euc_jp"]), st.data())
def test_few_letters_are_what_the_surest_table_is(encoding: str, data: st.DataObject) -> None:
    by_script = {"cp1251": WORDS, "koi8_r": WORDS, "gb18030": ["霸王别姬", "活着", "卧虎藏龙"]}
    by_script |= {"big5": ["霸王別姬", "臥虎藏龍"], "euc_jp": ["羅生門", "七人の侍", "もののけ姫"]}
    words = by_script[encoding]
    sure = "".join(f"{i};{word}\n" for i, word in enumerate(words * 20)).encode(encoding)
    text = f"user;film;{data.draw(st.sampled_from(words))}\n"
    few = text.encode(encoding)
    others = encoding_of_all([few, b"plain\n", sure])
    assert decode(few, "x.csv", others=others).text == text


def test_the_letters_of_small_tables_count_together() -> None:
    words = [f"{word}\n".encode("koi8_r") for word in WORDS]
    assert encoding_of_all(words) == "koi8_r"
    assert encoding_of_all([b"plain\n", "Брат\n".encode()]) is None


def test_a_header_of_ratings_is_read_as_the_titles_are(tmp_path: Path) -> None:
    marks = f"user;film;оценка;date\n{MARKS}".encode("cp1251")
    folder = folder_of(tmp_path / "кино", films=films(), оценки=marks)
    options = ImportOptions.parse(columns="rating=оценка")
    data, _ = read_dataset(folder, options)
    assert (len(data), data.movies[0].title) == (10, "Сталкер")


def test_letters_that_show_late_in_the_surest_table_count_for_others(tmp_path: Path) -> None:
    titles = [f"Film {i}" for i in range(6000)] + ["霸王别姬与活着"] * 30
    marks = f"user;film;评分;date\n{MARKS}".encode("gb18030")
    folder = folder_of(tmp_path / "x", films=films(titles, "gb18030"), marks=marks)
    data, _ = read_dataset(folder, ImportOptions.parse(columns="rating=评分"))
    assert len(data) == 10


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ("user;film;оценка;date", "--columns rating=COLUMN, or --likes"),
        ("user;film;x;date", "a user and a movie without a rating"),
        ("user;film;评分;date", "too few letters"),
    ],
)
def test_ratings_that_cannot_be_read_are_no_success(tmp_path: Path, header: str, told: str) -> None:
    encoding = "gb18030" if "评" in header else "cp1251"
    marks = f"{header}\n{MARKS}".encode(encoding)
    plain = films([f"Film {i}" for i in range(1, 6)], "utf-8")
    folder = folder_of(tmp_path / "x", films=plain, marks=marks)
    with pytest.raises(DataError, match=r"no ratings: not read is marks\.csv: .*" + told):
        read_dataset(folder)
    assert len(read_dataset(folder / "films.csv")[0].movies) == 5


def test_a_table_of_unknown_columns_is_a_warning_where_there_are_no_ratings(
    tmp_path: Path,
) -> None:
    marks = f"кто;что;оценка;когда\n{MARKS}".encode("cp1251")
    folder = folder_of(tmp_path / "x", films=films(), marks=marks)
    data, report = read_dataset(folder)
    (warning,) = report.warnings(data)
    assert warning.startswith("no ratings are read; if marks.csv has them, say which columns")
    options = ImportOptions.parse(columns="user=кто,movie=что,rating=оценка,time=когда")
    assert len(read_dataset(folder, options)[0]) == 10  # the films call their own column film


def test_a_table_of_users_and_films_is_likes_if_that_is_said(tmp_path: Path) -> None:
    marks = b"user;film\n" + b"".join(b"1;%d\n" % i for i in range(1, 6))
    folder = folder_of(tmp_path / "x", films=films(), marks=marks)
    with pytest.raises(DataError, match="--likes if each row is a like"):
        read_dataset(folder)
    assert len(read_dataset(folder, ImportOptions.parse(every_row_likes=True))[0]) == 5
    whole = f"user;film;rating;date\n{MARKS}".encode()
    (folder / "ratings.csv").write_bytes(whole)
    _, report = read_dataset(folder)
    (told,) = report.unread
    assert told.startswith("marks.csv: ")
    assert "--likes" in told


@pytest.mark.parametrize("column", ["mark", "Оценка"])
def test_a_column_that_no_table_has_is_refused(tmp_path: Path, column: str) -> None:
    marks = f"user;film;rating;date\n{MARKS}".encode()
    folder = folder_of(tmp_path / "x", films=films(), marks=marks)
    with pytest.raises(DataError, match=f"columns rating={column}: no table has a column"):
        read_dataset(folder, ImportOptions.parse(columns=f"rating={column}"))


@pytest.mark.parametrize("role", ["time", "genres"])
def test_no_column_is_named_by_a_hyphen(tmp_path: Path, role: str) -> None:
    marks = f"user;film;rating;date\n{MARKS}".encode()
    folder = folder_of(tmp_path / "x", films=films(), marks=marks)
    data, _ = read_dataset(folder, ImportOptions.parse(columns=f"{role}=-"))
    has = {"time": bool(data.times.any()), "genres": any(movie.genres for movie in data.movies)}
    assert has == {"time": True, "genres": True} | {role: False}


def test_the_files_of_the_genome_are_not_told_as_unread(tmp_path: Path) -> None:
    files = {
        "ratings": f"user;film;rating;date\n{MARKS}".encode(),
        "genome-scores": b"movieId,tagId,relevance\n1,1,0.9\n",
        "genome-tags": b"tagId,tag\n1,slow\n",
    }
    data, report = read_dataset(folder_of(tmp_path / "x", films=films(), **files))
    assert (report.unread, dict(data.movies[0].tags)) == ((), {"slow": 0.9})
    (tmp_path / "x" / "genome-tags.csv").unlink()
    assert len(read_dataset(tmp_path / "x")[1].unread) == 1
