"""Which files of a data set are read: none is passed over without a word."""

import gzip
import json
import struct
import zipfile
from pathlib import Path

import pytest

from marquee.errors import DataError
from trainer.datasets.files.options import ImportOptions
from trainer.datasets.import_report import ImportReport
from trainer.datasets.reader import read_dataset

MOVIES = "movieId,title,genres\n1,One,Drama\n2,Two,War\n"
RATINGS = "userId,movieId,rating,timestamp\n1,1,5,1000000000\n1,2,4,1000000001\n"
MORE = "userId,movieId,rating,timestamp\n2,1,3,1000000002\n"


def written(folder: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def zipped(path: Path, files: dict[str, str], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as out:
        for name, content in files.items():
            out.writestr(name, content)
    return path


def lines(folder: Path) -> list[str]:
    data, report = read_dataset(folder)
    return report.lines(data)


def ratings_read(*paths: Path) -> tuple[int, ImportReport]:
    data, report = read_dataset(paths)
    return len(data), report


def test_files_of_one_name_are_refused(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {"a/ratings.csv": RATINGS, "b/ratings.csv": MORE}
    written(tmp_path, {**files, "movies.csv": MOVIES})
    one, two, films = (tmp_path / name for name in ("a/ratings.csv", "b/ratings.csv", "movies.csv"))
    with pytest.raises(DataError, match=r"^ratings\.csv is in both .*a/r.* and .*b/r.*--append"):
        read_dataset([one, two, films])
    with pytest.raises(DataError, match=r"^ratings\.csv is in both"):
        read_dataset([tmp_path / "a", tmp_path / "b", films])
    assert ratings_read(one, films, one)[0] == 2  # one file named twice


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("ratings_2020.csv", MORE, "not read: ratings_2020.csv: ratings too, beside ratings.csv"),
        ("rating.csv", MORE, "not read: rating.csv: ratings too, beside ratings.csv"),
        (
            "ratings.jsonl",
            '{"userId":2,"movieId":1,"rating":3}\n',
            "not read: ratings.jsonl: ratings too, beside ratings.csv",
        ),
        ("ratings.csv.gz", gzip.compress(MORE.encode(), mtime=0), "not looked at: ratings.csv.gz"),
        ("RATINGS.CSV", MORE, "not looked at: RATINGS.CSV"),
        ("movies_old.csv", MOVIES, "not read: movies_old.csv: movies too, beside movies.csv"),
        ("ratings/part-0.csv", MORE, "not looked at: ratings/part-0.csv"),
        ("ratings.parquet/part-0.parquet", b"x", "not looked at: ratings.parquet/part-0.parquet"),
        ("old/2020/ratings.csv", MORE, "not looked at: old/2020/"),
        ("ratings.xlsx", b"PK", "not looked at: ratings.xlsx"),
    ],
)
def test_what_is_not_read_beside_a_data_set_is_told(
    tmp_path: Path, name: str, content: str | bytes, told: str
) -> None:
    written(tmp_path, {"ratings.csv": RATINGS, "movies.csv": MOVIES, name: content})
    found = lines(tmp_path)
    assert found[0] == "2 ratings of 2 films"
    assert told in found


def test_many_files_are_told_in_one_line(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {f"picture{i}.png": b"x" for i in range(1, 9)}
    written(tmp_path, {**files, "ratings.csv": RATINGS, "movies.csv": MOVIES})
    data, report = read_dataset(tmp_path)
    told = [line for line in report.lines(data) if line.startswith("not looked at")]
    assert told == [
        "not looked at: picture1.png, picture2.png, picture3.png, picture4.png, picture5.png"
        " and 3 more"
    ]
    assert report.as_json(data)["unopened"] == sorted(files)


def test_films_alone_beside_files_of_unknown_form_are_a_warning(tmp_path: Path) -> None:
    written(tmp_path, {"ratings.xlsx": b"PK", "movies.csv": MOVIES})
    data, report = read_dataset(tmp_path)
    assert report.warnings(data) == ["no file of ratings is read; not looked at: ratings.xlsx"]


@pytest.mark.parametrize(
    "names",
    [
        ("RATINGS.CSV", "MOVIES.CSV"),
        ("Ratings.Csv.GZ", "movies.CSV"),
        ("r.CSV", "M.Tsv"),
    ],
)
def test_the_case_of_names_says_nothing(tmp_path: Path, names: tuple[str, str]) -> None:
    ratings = gzip.compress(RATINGS.encode()) if names[0].endswith("GZ") else RATINGS
    movies = MOVIES.replace(",", "\t") if names[1].endswith("Tsv") else MOVIES
    written(tmp_path, {names[0]: ratings, names[1]: movies})
    assert len(read_dataset(tmp_path)[0]) == 2
    assert len(read_dataset([tmp_path / name for name in names])[0]) == 2


def test_releases_in_capitals_are_known(tmp_path: Path) -> None:
    dat: dict[str, str | bytes] = {
        "RATINGS.DAT": "1::1::5::9\n",
        "Movies.dat": "1::A (1990)::War\n",
    }
    assert len(read_dataset(written(tmp_path / "dat", dat))[0]) == 1
    prize: dict[str, str | bytes] = {
        "Combined_Data_1.txt": "1:\n7,5,2005-09-06\n",
        "Movie_Titles.csv": "1,1990,A\n",
    }
    assert len(read_dataset(written(tmp_path / "prize", prize))[0]) == 1
    packed = zipped(tmp_path / "DATA.ZIP", {"RATINGS.CSV": RATINGS, "movies.csv": MOVIES})
    assert len(read_dataset(packed)[0]) == 2
    written(tmp_path / "x", {"Data.Zip": packed.read_bytes(), ".DS_Store": b"\0"})
    assert len(read_dataset(tmp_path / "x")[0]) == 2
    lines = "".join(json.dumps({"movieId": i, "title": f"T{i}"}) + "\n" for i in (1, 2))
    written(tmp_path / "json", {"Ratings.csv": RATINGS, "MOVIES.JSONL": lines})
    assert len(read_dataset(tmp_path / "json")[0]) == 2


def test_a_zip_from_windows_has_folders(tmp_path: Path) -> None:
    packed = zipped(tmp_path / "x.zip", {"ml\\ratings.csv": RATINGS, "ml\\movies.csv": MOVIES})
    assert len(read_dataset(packed)[0]) == 2


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("ratings.json", "[]", "its name is that of no table"),
        ("ratings.xlsx", b"PK", "its name is that of no table"),
        ("users.csv", "id,age\n1,2\n", "the first line is 'id,age'"),
        ("ratings_2020.csv", MORE, "ratings too, beside ratings.csv"),
        ("ratings.csv.gz", gzip.compress(MORE.encode(), mtime=0), "another file has its name"),
    ],
)
def test_a_file_that_is_named_and_not_read_is_an_error(
    tmp_path: Path, name: str, content: str | bytes, reason: str
) -> None:
    folder = written(tmp_path, {"ratings.csv": RATINGS, "movies.csv": MOVIES, name: content})
    with pytest.raises(DataError, match=rf"{name} is not read: {reason}; leave it out, or read"):
        read_dataset([folder / "ratings.csv", folder / "movies.csv", folder / name])


def test_a_path_with_nothing_that_is_read_is_an_error(tmp_path: Path) -> None:
    written(tmp_path, {"x/a/ratings.csv": RATINGS, "movies.csv": MOVIES, ".r.csv": RATINGS})
    packed = zipped(tmp_path / "x.zip", {"a/ratings.csv": RATINGS, "a/b.csv": RATINGS})
    for path in (tmp_path / "x", packed):
        with pytest.raises(DataError, match="is not read: it"):
            read_dataset([path, tmp_path / "movies.csv"])
    assert ratings_read(tmp_path / ".r.csv", tmp_path / "movies.csv")[0] == 2  # named, so meant


def test_what_is_there_is_told_where_there_is_no_data(tmp_path: Path) -> None:
    written(tmp_path, {"films.xlsx": b"PK", "a/b/c.csv": RATINGS})
    with pytest.raises(DataError, match=r"no data here; .*; found a/b/; films\.xlsx$"):
        read_dataset(tmp_path)


def test_of_two_data_sets_in_a_zip_one_has_to_be_unpacked(tmp_path: Path) -> None:
    both = {f"{f}/{name}": text for f in "ab" for name, text in FILES.items()}
    with pytest.raises(DataError, match="in a, b: name one of them, of a zip once it is unpacked"):
        read_dataset(zipped(tmp_path / "x.zip", both))


FILES = {"ratings.csv": RATINGS, "movies.csv": MOVIES}


def altered(data: bytes, signature: bytes, offset: int, new: bytes) -> bytes:
    changed, at = bytearray(data), -1
    while (at := changed.find(signature, at + 1)) >= 0:
        changed[at + offset : at + offset + len(new)] = new
    return bytes(changed)


@pytest.mark.parametrize(
    ("signature", "offset", "new", "reason"),
    [
        (b"PK\x01\x02", 8, b"\x01", "encrypted"),
        (b"PK\x01\x02", 10, b"\x09", "not supported"),
        (b"PK\x01\x02", 42, struct.pack("<I", 7), "Bad magic number|Truncated"),
        (b"PK\x05\x06", 16, struct.pack("<I", 2**31), ""),
        (b"PK\x05\x06", 12, struct.pack("<I", 2**31), ""),
    ],
)
@pytest.mark.parametrize("nested", [False, True])
def test_a_zip_that_cannot_be_unpacked_is_named(
    tmp_path: Path, signature: bytes, offset: int, new: bytes, reason: str, nested: bool
) -> None:
    packed = zipped(tmp_path / "x.zip", FILES)
    data = altered(packed.read_bytes(), signature, offset, new)
    packed.write_bytes(data)
    if nested:
        with zipfile.ZipFile(packed, "w") as out:
            out.writestr("inner.zip", data)
    with pytest.raises(DataError, match=rf"not a readable zip or gzip: .*({reason})"):
        read_dataset(packed)


@pytest.mark.parametrize("name", ["ratings.csv.gz", "ratings.jsonl.gz", "movies.csv.gz"])
def test_a_gzip_that_is_damaged_is_named(tmp_path: Path, name: str) -> None:
    header = RATINGS if name.startswith("ratings") else MOVIES
    packed = gzip.compress(header.encode() + b"".join(b"%d,\n" % i**3 for i in range(19999)))
    for content in (b"none", packed[:100], packed[:5000] + b"x" + packed[5001:]):
        files: dict[str, str | bytes] = {**FILES, name: content}
        del files[name.removesuffix(".gz") if "jsonl" not in name else "ratings.csv"]
        with pytest.raises(DataError, match=rf"{name}: not a readable zip or gzip"):
            read_dataset(written(tmp_path, files), ImportOptions())
        (tmp_path / name).unlink()
