"""Damaged files give a report or an error of one line, and what is read can be exported."""

import io
import json
import tempfile
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marquee.domain.movies import Movie
from marquee.errors import MarqueeError
from marquee.features.dataset import Dataset
from marquee_testing.damaged_files import MARKS, OPTIONS, TOKENS, Files, seeds
from trainer.datasets.exports.export import Form, export_dataset
from trainer.datasets.files.options import ImportOptions
from trainer.datasets.import_report import ImportReport
from trainer.datasets.reader import read_dataset

Mutation = Callable[[bytes], bytes]
ALL = ImportOptions(max_loss=1.0)


@cache
def all_seeds() -> dict[str, Files]:
    found = seeds()
    out = io.BytesIO()
    pd.DataFrame(MARKS, columns=["userId", "movieId", "rating", "timestamp"]).to_parquet(out)
    parquet = {"ratings.parquet": out.getvalue(), "movies.csv": found["tables"]["movies.csv"]}
    return {**found, "parquet": parquet, "export": exported_files(found["tables"])}


def exported_files(files: Files) -> Files:
    with tempfile.TemporaryDirectory() as name:
        for file, content in files.items():
            (Path(name) / file).write_bytes(content)
        export_dataset(read_dataset(Path(name))[0], Path(name) / "out")
        return {path.name: path.read_bytes() for path in (Path(name) / "out").iterdir()}


def at(data: bytes, share: float) -> int:
    return int(share * len(data))


def cell(token: bytes, share: float) -> Mutation:
    """Put a token in the place of a cell."""

    def mutated(data: bytes) -> bytes:
        marks = [place for place, code in enumerate(data) if code in b',\n\t|:{}[]"']
        if len(marks) < 2:
            return data
        first = int(share * (len(marks) - 1))
        return data[: marks[first] + 1] + token + data[marks[first + 1] :]

    return mutated


SHARES = st.floats(0, 1, exclude_max=True)
TOKEN = st.sampled_from(TOKENS)
MUTATIONS: st.SearchStrategy[Mutation] = st.one_of(
    st.builds(cell, TOKEN, SHARES),
    st.builds(lambda t, s: lambda d: d[: at(d, s)] + t + d[at(d, s) :], TOKEN, SHARES),
    st.builds(lambda s, n: lambda d: d[: at(d, s)] + d[at(d, s) + n :], SHARES, st.integers(1, 50)),
    st.builds(lambda s: lambda d: d[: at(d, s)], SHARES),
    st.builds(lambda s: lambda d: d + d[at(d, s) :], SHARES),
)


def check_read(files: Files, options: ImportOptions, form: Form | None = None) -> None:
    """Read files; export and read them again in a form, which must come to the same."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "in"
        folder.mkdir()
        for file, content in files.items():
            (folder / file).write_bytes(content)
        try:
            data, report = read_dataset(folder, options)
        except MarqueeError:
            return
        assert report.lines(data)
        assert json.dumps(report.as_json(data))
        if form:
            export_dataset(data, Path(name) / "out", form)
            again = read_dataset(Path(name) / "out")[0]
            assert again.version == data.version


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_any_damage_is_a_report_or_an_error_of_ours(data: st.DataObject) -> None:
    files = dict(all_seeds()[data.draw(st.sampled_from(sorted(all_seeds())))])
    name = data.draw(st.sampled_from(sorted(files)))
    for mutation in data.draw(st.lists(MUTATIONS, min_size=1, max_size=4)):
        files[name] = mutation(files[name])
    options = ImportOptions.parse(**data.draw(st.sampled_from(OPTIONS)))  # type: ignore[arg-type]
    check_read(files, options, data.draw(st.sampled_from([None, "csv", "parquet"])))


def read_movies(folder: Path, text: str, **others: str) -> tuple[list[Movie], ImportReport]:
    (folder / "movies.csv").write_text(text)
    for name, content in others.items():
        (folder / f"{name}.csv").write_text(content)
    data, report = read_dataset(folder, ALL)
    return list(data.movies), report


@pytest.mark.parametrize(
    ("column", "cell", "told"),
    [
        ("language", "ab-" + "-".join(["abcdefgh"] * 5), True),
        ("director", "|".join(f"D{i}" for i in range(501)), False),
        ("keywords", r'"[""A\ud800""]"', False),
        ("genres", r'"[""A\ud800""]"', False),
        ("genres", '"[{[1]: 2}]"', False),
        ("keywords", "\"['\\d']\"", False),
    ],
)
def test_a_cell_that_no_film_can_have_is_left_out(
    tmp_path: Path, column: str, cell: str, told: bool
) -> None:
    movies, report = read_movies(tmp_path, f"movieId,title,{column}\n1,One,{cell}\n2,Two,\n")
    assert len(movies) == 2
    assert bool(report.refused) is told


def test_a_film_has_2000_tags_at_most(tmp_path: Path) -> None:
    rows = "".join(f"1,tag {i},0.5\n" for i in range(2001))
    movies, report = read_movies(
        tmp_path, "movieId,title,genres\n1,One,\n", relevances=f"movieId,tag,relevance\n{rows}"
    )
    assert (len(movies[0].tags), report.malformed) == (2000, 1)


def exported(folder: Path, movies: str, about: str = "{}") -> tuple[Dataset, ImportReport]:
    (folder / "movies.csv").write_text(movies)
    (folder / "export.json").write_text(about)
    return read_dataset(folder, ALL)


@pytest.mark.parametrize("text", ["{", "[]", "5", '{""title"": 1}', '{""runtime"": -1}', "[" * 999])
def test_damaged_fields_of_an_export_are_left_out(tmp_path: Path, text: str) -> None:
    header = "movieId,title,year,genres,marqueeFields"
    data, _ = exported(tmp_path, f'{header}\n1,One,,,"{text}"\n')
    assert data.movies[0].present_fields() == {}


@pytest.mark.parametrize("genre", ["g" * 41, "a\x1bb", "\u202eb"])
def test_genres_of_an_export_are_as_they_were_kept(tmp_path: Path, genre: str) -> None:
    data, _ = exported(tmp_path, f"movieId,title,year,genres\n1,One,,{genre}\n2,Two,,A|B\n")
    assert [movie.genres for movie in data.movies] == [(genre,), ("A", "B")]


def test_too_many_genres_of_a_film_of_an_export_are_a_malformed_row(tmp_path: Path) -> None:
    many = "|".join(f"G{i}" for i in range(65))
    data, report = exported(tmp_path, f"movieId,title,year,genres\n1,One,,{many}\n2,Two,,A|B\n")
    assert [movie.genres for movie in data.movies] == [("A", "B")]
    assert "genres: " in report.read[0].tally.examples[0].reason


def test_an_export_of_more_genres_than_filter_comes_back_with_a_warning(tmp_path: Path) -> None:
    rows = "".join(f"{i},F,Drama|G{i:02}\n" for i in range(1, 71))
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    data, report = exported(tmp_path / "a", f"movieId,title,genres\n{rows}")
    (warning,) = report.warnings(data)
    assert warning == (
        "71 genres, of which the 64 of the most films filter lists; these do not: G64, G65, G66,"
        " G67, G68 and 2 more"
    )
    export_dataset(data, tmp_path / "out")
    assert read_dataset(tmp_path / "out")[0].version == data.version
    with pytest.raises(MarqueeError, match="the films have 71 genres, and a catalogue may have 64"):
        read_movies(tmp_path / "b", f"movieId,title,genres\n{rows}")


@pytest.mark.parametrize(
    "text", [b'unknown|0\n"Action|1\n', b"\n\nunknown|0\n\nAction|1", b'a"b"c']
)
def test_the_genres_of_flags_may_be_damaged(text: bytes) -> None:
    check_read({**all_seeds()["100k"], "u.genre": text}, ImportOptions())


def test_a_damaged_zip_within_a_zip() -> None:
    inner = all_seeds()["zip"]["a.zip"]
    for end in range(0, len(inner), 97):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            archive.writestr("b.zip", inner[:end])
        check_read({"a.zip": out.getvalue()}, ImportOptions())
