"""The data set of the Netflix Prize is read as published, and as Kaggle has it."""

import zipfile
from pathlib import Path

import pytest

from marquee.errors import DataError
from trainer.datasets.files.options import ImportOptions
from trainer.datasets.import_report import ImportReport
from trainer.datasets.reader import read_dataset

TITLES = (
    "1,2003,Dinosaur Planet\n2,2004,Isle of Man TT 2004 Review\n"
    "3,1997,Character\n4,1994,Paula Abdul's Get Up & Dance\n5,NULL,Roti, Kapada Aur Makaan\n"
    '6,2002,"Weird" Al, Live! (Extended)\n17770,2003,Alien Hunter: Misérables\n'
)
SECTIONS = {
    1: ["1488844,3,2005-09-06", "822109,5,2005-05-13"],
    5: ["1488844,4,2004-01-02"],
    17770: ["7,1,1999-12-31", "822109,2,2005-12-31"],
}
WANTED = [
    (7, 17770, 2, 946598400),
    (822109, 1, 10, 1115942400),
    (822109, 17770, 4, 1135987200),
    (1488844, 5, 8, 1073001600),
    (1488844, 1, 6, 1125964800),
]


def section(film: int, newline: str = "\n") -> str:
    return "".join(line + newline for line in (f"{film}:", *SECTIONS[film]))


def write(folder: Path, form: str, newline: str = "\n") -> Path:
    """Write the data set as one file, as several, or as a file a film."""
    folder.mkdir()
    (folder / "movie_titles.csv").write_bytes(TITLES.replace("\n", newline).encode("latin-1"))
    texts = {film: section(film, newline) for film in SECTIONS}
    if form == "files":
        (folder / "training_set").mkdir()
        for film, text in texts.items():
            (folder / "training_set" / f"mv_{film:07}.txt").write_text(text, newline="")
    elif form == "one":
        (folder / "combined_data_1.txt").write_text("".join(texts.values()), newline="")
    else:
        for number, text in enumerate(texts.values(), 1):
            (folder / f"combined_data_{number}.txt").write_text(text, newline="")
    return folder


def read(path: Path) -> tuple[list[tuple[int, ...]], ImportReport]:
    data, report = read_dataset(path)
    columns = (data.user_ids, data.movie_ids, data.half_stars, data.times)
    return list(zip(*(column.tolist() for column in columns), strict=True)), report


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("form", ["one", "several", "files"])
def test_ratings_in_sections(tmp_path: Path, form: str, newline: str) -> None:
    found, report = read(write(tmp_path / "x", form, newline))
    assert (found, report.malformed) == (WANTED, 0)
    assert [tally.rows for tally in report.files] == [7, 5]


def test_a_zip_with_a_folder(tmp_path: Path) -> None:
    folder = write(tmp_path / "x", "several")
    with zipfile.ZipFile(tmp_path / "netflix.zip", "w") as out:
        for file in folder.iterdir():
            out.write(file, f"netflix-prize-data/{file.name}")
    assert read(tmp_path / "netflix.zip")[0] == WANTED


def test_titles_have_commas_quotes_and_letters_of_latin_1(tmp_path: Path) -> None:
    data, report = read_dataset(write(tmp_path / "x", "one"))
    films = {movie.movie_id: (movie.title, movie.year) for movie in data.movies}
    assert films[5] == ("Roti, Kapada Aur Makaan", None)
    assert films[6] == ('"Weird" Al, Live! (Extended)', 2002)
    assert films[17770] == ("Alien Hunter: Misérables", 2003)
    assert report.files[0].malformed == 0
    assert not any("--encoding" in line for line in report.lines(data))


def test_titles_in_utf_8_are_read_as_such(tmp_path: Path) -> None:
    folder = write(tmp_path / "x", "one")
    (folder / "movie_titles.csv").write_text(TITLES, encoding="utf-8")
    data, _ = read_dataset(folder)
    assert data.movies[-1].title == "Alien Hunter: Misérables"


def test_malformed_rows_are_told_by_file_and_line(tmp_path: Path) -> None:
    folder = write(tmp_path / "x", "several")
    (folder / "combined_data_2.txt").write_text("5:\n1488844,4,2004-01-02\n\n9,7,2004-01-02\n")
    (folder / "combined_data_1.txt").write_text(f"8,3,2005-01-01\n{section(1)}")
    found, report = read(folder)
    assert found == WANTED
    assert [str(example) for example in report.files[1].examples] == [
        "combined_data_1.txt, line 1: 1 row that no line with a film's id and : is before",
        "combined_data_2.txt, line 4: rating '7' is not 0.5 to 5 in half stars",
    ]


def test_a_section_may_be_longer_than_a_block(tmp_path: Path) -> None:
    folder = write(tmp_path / "x", "one")
    users = range(1, 120_001)
    rows = [f"{user},{user % 5 + 1},2005-09-06" for user in users]
    rows[100_000] = "broken"
    (folder / "combined_data_1.txt").write_text("\n".join(["3:", *rows, "4:", "1,1,2005-09-06"]))
    data, report = read_dataset(folder, ImportOptions())
    assert (len(data), report.malformed) == (120_000, 1)
    assert report.files[1].examples[0].line == 100_002
    assert set(data.movie_ids.tolist()) == {3, 4}


def test_too_many_malformed_rows_are_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "x", "one")
    (folder / "combined_data_1.txt").write_text("1:\n" + "x y,3,2005-01-01\n" * 10)
    with pytest.raises(DataError, match=r"10 of 10 rows of combined_data_1\.txt are malformed"):
        read_dataset(folder)
