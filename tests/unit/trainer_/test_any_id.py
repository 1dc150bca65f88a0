"""Ids of users and films are taken in any form, in each layout and column."""

import csv
import io
import json
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marquee.domain.ids import GivenId, as_given, id_text, number_of
from marquee.errors import DataError, IdCollision
from marquee.features.dataset import Dataset
from trainer.datasets.columns import id_columns
from trainer.datasets.files.options import ImportOptions
from trainer.datasets.reader import read_dataset

UUIDS = [f"3f2504e0-4f89-11d3-9a0c-0305e82c{i:04x}" for i in range(40)]
CONSTS = [f"tt{111161 + i:07}" for i in range(30)]
NAMED = [f"user:ab-{i}" for i in range(40)]
PADDED = [f"{i:03}" for i in range(1, 41)]
WIDE = [str(2**63 - 1 - i) for i in range(40)]
PLAIN = [str(i) for i in range(1, 41)]
MIXED = [*PLAIN[:13], *UUIDS[:13], *PADDED[:14]]

Triple = tuple[str, str, int]


def triples(users: list[str], films: list[str]) -> list[Triple]:
    return [
        (user, films[(u * 7 + i * 3) % len(films)], (u + i) % 10 + 1)
        for u, user in enumerate(users)
        for i in range(8)
    ]


def text_of(header: list[str], rows: list[tuple[object, ...]], separator: str) -> str:
    if separator == "::":
        return "".join("::".join(map(str, row)) + "\n" for row in rows)
    out = io.StringIO()
    csv.writer(out, delimiter=separator, lineterminator="\n").writerows([header, *rows])
    return out.getvalue()


def write(folder: Path, ratings: list[Triple], films: list[str], form: str) -> Path:
    """Write a data set; `form` is a separator, or json or parquet."""
    folder.mkdir(exist_ok=True)
    tables: dict[str, tuple[list[str], list[tuple[object, ...]]]] = {
        "ratings": (
            ["userId", "movieId", "rating", "timestamp"],
            [(u, m, h / 2, 10**9) for u, m, h in ratings],
        ),
        "movies": (["movieId", "title", "genres"], [(f, f"Film {f}", "Drama") for f in films]),
        "tags": (
            ["userId", "movieId", "tag", "timestamp"],
            [(u, m, f"tag {h}", 10**9) for u, m, h in ratings],
        ),
    }
    for name, (header, rows) in tables.items():
        if form == "parquet":
            pd.DataFrame(rows, columns=header).to_parquet(folder / f"{name}.parquet")
        elif form == "json":
            lines = [json.dumps(dict(zip(header, map(whole, row), strict=True))) for row in rows]
            (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
        else:
            ending = "dat" if form == "::" else "csv"
            text = text_of(header, rows, form)
            (folder / f"{name}.{ending}").write_text(text)
    return folder


def whole(value: object) -> object:
    """Return a text that is a whole number as one, as a writer of JSON may."""
    is_whole = isinstance(value, str) and value.isdecimal() and value[0] != "0"
    return int(str(value)) if is_whole else value


def read_back(data: Dataset) -> list[Triple]:
    films = {movie.movie_id: id_text(movie.movie_id) for movie in data.movies}
    columns = (data.user_ids, data.movie_ids, data.half_stars)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return sorted((data.user_texts.get(u, str(u)), films[m], h) for u, m, h in rows)


@pytest.mark.parametrize("form", [",", ";", "\t", "::", "json", "parquet"])
@pytest.mark.parametrize("users", [UUIDS, NAMED, PADDED, WIDE, PLAIN, MIXED])
@pytest.mark.parametrize("films", [CONSTS, UUIDS[:30], WIDE[:30], PLAIN[:30]])
def test_ids_come_back_as_they_were(
    tmp_path: Path, form: str, users: list[str], films: list[str]
) -> None:
    ratings = triples(users, films)
    data, report = read_dataset(write(tmp_path / "x", ratings, films, form))
    assert (report.malformed, read_back(data)) == (0, sorted(ratings))
    assert {id_text(movie.movie_id) for movie in data.movies} == set(films)
    assert all(movie.tags for movie in data.movies if movie.movie_id in data.movie_ids)
    assert all(number == number_of(text) for number, text in data.user_texts.items())


IDS = st.one_of(
    st.integers(1, 2**63 - 1).map(str),
    st.integers(1, 99).map(str),
    st.from_regex(r"[A-Za-z0-9._:@-]{1,64}", fullmatch=True),
    st.from_regex(r"0[0-9]{1,5}", fullmatch=True),
    st.from_regex(r"[1-9][eE.][0-9]{1,2}", fullmatch=True),
    st.uuids().map(str),
).filter(
    lambda text: (
        text.strip(".")
        and not (text.lstrip("-").isdigit() and str(int(text)) == text and int(text) < 1)
    )
)


@settings(max_examples=80, deadline=None)
@given(
    users=st.lists(IDS, min_size=1, max_size=12, unique=True),
    films=st.lists(IDS, min_size=1, max_size=12, unique=True),
    form=st.sampled_from([",", ";", "\t", "|", "json", "parquet"]),
    likes=st.data(),
)
def test_a_mix_of_ids_in_any_dialect_comes_back(
    tmp_path_factory: pytest.TempPathFactory,
    users: list[str],
    films: list[str],
    form: str,
    likes: st.DataObject,
) -> None:
    pairs = [(u, m) for u in users for m in films]
    marks = likes.draw(st.lists(st.integers(1, 10), min_size=len(pairs), max_size=len(pairs)))
    ratings = [(u, m, h) for (u, m), h in zip(pairs, marks, strict=True)]
    folder = write(tmp_path_factory.mktemp("ids"), ratings, films, form)
    separator = None if form in ("json", "parquet") else form
    if separator:
        data, report = read_dataset(folder, ImportOptions.parse(separator=separator))
    else:
        data, report = read_dataset(folder)
    assert (report.malformed, read_back(data)) == (0, sorted(ratings))


def test_a_whole_number_is_one_id_as_number_and_as_text(tmp_path: Path) -> None:
    rows = [{"user": 42, "movie": "7", "rating": 4}, {"user": "42", "movie": 7, "rating": 5}]
    folder = tmp_path
    (folder / "ratings.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    (folder / "movies.csv").write_text("id,title\n7,Film\n")
    data, report = read_dataset(folder)
    assert (data.user_ids.tolist(), data.movie_ids.tolist(), report.replaced) == ([42], [7], 1)


def test_bad_ids_are_refused_by_line_with_the_rule(tmp_path: Path) -> None:
    ratings = triples(UUIDS, CONSTS)
    folder = write(tmp_path / "x", ratings, CONSTS, ",")
    lines = (folder / "ratings.csv").read_text().splitlines()
    lines[7] = "no spaces,tt0111161,4.0,1"
    lines[100] = "a" * 65 + ",tt0111161,4.0,1"
    (folder / "ratings.csv").write_text("\n".join(lines))
    data, report = read_dataset(folder)
    assert len(data) == len(ratings) - 2
    first, second = (str(example) for example in report.files[1].examples)
    assert first.startswith(
        "ratings.csv, line 8: user id 'no spaces' must be a whole number from 1"
    )
    assert second.startswith(f"ratings.csv, line 101: user id {'a' * 65!r} must be a whole number")
    assert "a string of 1 to 64 of the characters a-z A-Z 0-9 . _ : @ -" in first


@pytest.mark.parametrize("what", ["user", "movie"])
def test_two_texts_of_one_number_are_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    class Narrow(GivenId):
        def __new__(cls, text: str) -> "Narrow":
            new = int.__new__(cls, -5)
            new.text = text
            return new

    monkeypatch.setattr(
        id_columns, "parse_id_text", lambda text: int(text) if text.isdigit() else Narrow(text)
    )
    monkeypatch.setattr(id_columns, "GivenId", Narrow)
    users, films = (["a", "b"], PLAIN) if what == "user" else (PLAIN, ["a", "b"])
    folder = write(tmp_path / "x", triples(users, films), films, ",")
    with pytest.raises(IdCollision, match=f"{what} id 'b' has the same number inside as 'a'"):
        read_dataset(folder)


def test_strings_are_told_and_strays_warned_of(tmp_path: Path) -> None:
    folder = write(tmp_path / "x", triples(PLAIN, CONSTS), CONSTS, ",")
    data, report = read_dataset(folder)
    assert "ids of films: 30 of 30 are strings, as 'tt0111190'" in [
        line.replace(str(as_given(data.movies[0].movie_id)), "tt0111190")
        for line in report.lines(data)
    ]
    folder = write(tmp_path / "y", triples([*PLAIN, "x"], PLAIN), PLAIN, ",")
    data, report = read_dataset(folder)
    assert any("but for 1 of 41, as 'x'" in warning for warning in report.warnings(data))
    decimals = [f"{text}.0" for text in PLAIN]
    folder = write(tmp_path / "z", triples(decimals, PLAIN), PLAIN, ",")
    data, report = read_dataset(folder)
    assert any("without a decimal point" in warning for warning in report.warnings(data))
    written = triples(PLAIN, decimals)
    with pytest.raises(
        DataError, match=r"of films that no table has.*film (\d+)\.0 \(another id than \1\)"
    ):
        read_dataset(write(tmp_path / "w", written, PLAIN, ","))


def test_padded_ids_far_into_a_large_file_stay_apart(tmp_path: Path) -> None:
    rows = [f"{i},1,4.0,1000000000" for i in range(1, 150_001)]
    rows[120_000] = "0000007,1,4.0,1000000000"
    (tmp_path / "ratings.csv").write_text("userId,movieId,rating,timestamp\n" + "\n".join(rows))
    (tmp_path / "movies.csv").write_text("movieId,title,genres\n1,Film,Drama\n")
    data, _ = read_dataset(tmp_path)
    assert data.user_texts == {number_of("0000007"): "0000007"}
    assert len(data) == 150_000
