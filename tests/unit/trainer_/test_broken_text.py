"""Tables whose text is not all of one encoding, and encodings however they are named."""

from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from marquee.errors import DataError
from trainer.datasets.files.options import ImportOptions
from trainer.datasets.reader import read_dataset
from trainer.datasets.text.encodings import decode
from trainer.own_ratings.reader import read_export

TITLES = [f"Amélie и Сталкер {i}" for i in range(1, 61)]


def movies(titles: list[str], end: str = "\n") -> str:
    rows = [f"{i},{title},Drama" for i, title in enumerate(titles, 1)]
    return end.join(["movieId,title,genres", *rows, ""])


RATINGS = "userId,movieId,rating,timestamp\n1,1,5,1000000000\n1,2,4,1000000001\n"


@pytest.mark.parametrize(
    ("broken", "line"),
    [(b"61,Am\xe9lie,Drama\n", 62), (b"61,\xd0,Drama\n", 62), ("61,Сталкер\n".encode()[:-2], 62)],
)
def test_rows_of_another_encoding_are_malformed_and_the_others_stay(
    tmp_path: Path, broken: bytes, line: int
) -> None:
    (tmp_path / "movies.csv").write_bytes(movies(TITLES).encode() + broken)
    (tmp_path / "ratings.csv").write_text(RATINGS)
    data, report = read_dataset(tmp_path)
    assert [movie.title for movie in data.movies] == TITLES
    (example,) = report.read[0].tally.examples
    assert str(example).startswith(f"movies.csv, line {line}: ")
    assert report.read[0].how.startswith("utf-8, comma")


def test_a_row_of_another_encoding_is_told_as_that(tmp_path: Path) -> None:
    (tmp_path / "movies.csv").write_bytes(movies(TITLES).encode() + b"61,Am\xe9lie,Drama\n")
    _, report = read_dataset(tmp_path)
    assert report.read[0].tally.examples[0].reason == "the row is not in utf-8 as most others are"


@given(
    good=st.lists(st.sampled_from(["Amélie", "Сталкер", "霸王别姬", "Heat"]), min_size=3),
    bad=st.sampled_from([b"Am\xe9lie", b"\xd0\xe5\xea\xe0", b"\xff"]),
    place=st.integers(0, 2),
)
def test_utf_8_stays_utf_8(good: list[str], bad: bytes, place: int) -> None:
    assume(sum(not title.isascii() for title in good) > 1)
    lines = [title.encode() for title in good]
    lines.insert(place, bad)
    decoded = decode(b"\n".join(lines), "x.csv")
    assert decoded.has_faults
    text = decoded.text.split("\n")
    assert text[:place] + text[place + 1 :] == good


def test_a_table_of_utf_8_with_faults_tells_nothing_of_the_others(tmp_path: Path) -> None:
    (tmp_path / "movies.csv").write_bytes("movieId,title\n1,Сталкер\n".encode("cp1251"))
    rows = "".join(f"1,1,Амели {i}\n" for i in range(60)).encode() + b"1,1,Am\xe9lie\n"
    (tmp_path / "tags.csv").write_bytes(b"userId,movieId,tag\n" + rows)
    (tmp_path / "ratings.csv").write_text(RATINGS.splitlines()[0] + "\n1,1,5,1000000000\n")
    data, report = read_dataset(tmp_path)
    assert [movie.title for movie in data.movies] == ["Сталкер"]
    (of_tags,) = [file for file in report.read if file.tally.file == "tags.csv"]
    assert (of_tags.tally.malformed, of_tags.how[:5]) == (1, "utf-8")


@pytest.mark.parametrize("name", ["utf_16_le", "UTF-16LE", "utf-16-le", "utf_32_be", "U32"])
def test_encodings_of_wide_letters_are_known_by_any_name(tmp_path: Path, name: str) -> None:
    many = movies([f"{title} or more" for title in TITLES * 60])  # more than the first look
    (tmp_path / "movies.csv").write_bytes(many.encode(name))
    (tmp_path / "ratings.csv").write_bytes(RATINGS.encode(name))
    data, _ = read_dataset(tmp_path, ImportOptions.parse(encoding=name))
    assert (len(data), len(data.movies)) == (2, 3600)


@pytest.mark.parametrize("name", ["utf-32", "utf-16"])
def test_marks_of_wide_letters_are_recognised(tmp_path: Path, name: str) -> None:
    (tmp_path / "movies.csv").write_bytes(movies(TITLES).encode(name))
    (tmp_path / "ratings.csv").write_bytes(RATINGS.encode(name))
    assert len(read_dataset(tmp_path)[0]) == 2


@pytest.mark.parametrize("name", ["hex", "rot13", "base64", "a\0b", "klingon", ""])
def test_what_is_no_encoding_of_text_is_refused(name: str) -> None:
    with pytest.raises(DataError, match=r"encoding .* is not known; as utf-8"):
        ImportOptions.parse(encoding=name)


@pytest.mark.parametrize("name", ["idna", "punycode", "undefined", "utf-7", "ascii"])
def test_an_encoding_that_does_not_fit_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / "movies.csv").write_text(movies(TITLES))
    with pytest.raises(DataError, match=rf"movies\.csv, line \d+: the text is not {name}"):
        read_dataset(tmp_path, ImportOptions.parse(encoding=name))


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_what_is_said_of_text_is_not_said_of_converted_files(tmp_path: Path, ending: str) -> None:
    (tmp_path / "ratings.csv").write_text(RATINGS.replace(",", ";"))
    if ending == "csv":
        films = movies(TITLES[:2]).replace(",", ";").encode("cp1251", "replace")
    else:
        films = "".join(
            f'{{"movieId":{i},"title":"{title}","genres":["Драма"]}}\n'
            for i, title in enumerate(TITLES[:2], 1)
        ).encode()
    (tmp_path / f"movies.{ending}").write_bytes(films)
    options = ImportOptions.parse(encoding="cp1251", separator="semicolon")
    data, _ = read_dataset(tmp_path, options)
    assert len(data) == 2
    if ending == "jsonl":
        assert (data.movies[0].title, data.movies[0].genres) == (TITLES[0], ("Драма",))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"Title Year\n", "no separator found in the first line 'Title Year'"),
        (b"Title;Year,Rating\n1;2,3\n", "the separator may be comma or semicolon"),
        ("Title,Year\n".encode("utf-16-le"), "no text: it has zero bytes"),
        ("Title,Year\n霸王别姬,1993\n".encode("gb18030"), "tell the encoding by"),
    ],
)
def test_an_own_export_is_advised_what_its_import_can_do(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(DataError, match=rf"{reason}; save it as CSV with commas, in UTF-8$"):
        read_export(tmp_path / "t.csv")


def test_the_mark_by_which_dos_ended_files_is_a_malformed_row(tmp_path: Path) -> None:
    (tmp_path / "movies.csv").write_text(movies(TITLES) + "\x1a")
    (tmp_path / "ratings.csv").write_text(RATINGS + "\x1a")
    data, report = read_dataset(tmp_path)
    assert (len(data), len(data.movies), report.malformed) == (2, 60, 2)
    assert "movies.csv, line 62: 3 fields expected, 1 found" in map(
        str, report.read[0].tally.examples
    )
