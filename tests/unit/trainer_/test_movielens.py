"""Every MovieLens release is read as published, from a folder or a zip."""

import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from marquee.errors import DataError
from marquee.features.dataset import Dataset
from trainer.datasets.reader import read_dataset

CSV: Mapping[str, str] = {
    "ratings.csv": "userId,movieId,rating,timestamp\n1,1,4.0,964982703\n1,2,0.5,964981247\n"
    "2,1,5.0,964982224\n",
    "movies.csv": "movieId,title,genres\n"
    "1,Toy Story (1995),Adventure|Animation|Children\n"
    '2,"Matrix, The (1999)",Action|Sci-Fi\n'
    "3,Babylon 5,(no genres listed)\n",
    "tags.csv": "userId,movieId,tag,timestamp\n1,1,Pixar,1139045764\n2,1, pixar ,1139045764\n"
    '1,2,"bullet time, slow",1139045764\n',
    "links.csv": "movieId,imdbId,tmdbId\n1,0114709,862\n",
}

DAT: Mapping[str, str] = {
    "ratings.dat": "1::1::4::978300760\n1::2::3.5::978302109\n",
    "movies.dat": "1::Toy Story (1995)::Animation|Children's|Comedy\n"
    "2::Misérables, Les (1995)::Drama\n",
    "tags.dat": "15::2::excellent!::1215184630\n",
    "users.dat": "1::F::1::10::48067\n",
}

ITEM_FLAGS = "|".join(["0"] * 19)
ML_100K: Mapping[str, str] = {
    "u.data": "196\t2\t3\t881250949\n186\t1\t5\t891717742\n",
    "u.item": f"1|Toy Story (1995)|01-Jan-1995||http://us.imdb.com/|{ITEM_FLAGS[:6]}1|1|1|{ITEM_FLAGS[12:]}\n"
    f"2|unknown|24-Jan-1997|||1{ITEM_FLAGS[1:]}\n",
    "u.user": "1|24|M|technician|85711\n",
}


def folder(tmp_path: Path, files: Mapping[str, str], encoding: str = "utf-8") -> Path:
    path = tmp_path / "release"
    path.mkdir()
    for name, text in files.items():
        (path / name).write_bytes(text.encode(encoding))
    return path


def rows(data: Dataset) -> list[tuple[int, ...]]:
    columns = (data.user_ids, data.movie_ids, data.half_stars, data.times)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def test_a_release_in_csv(tmp_path: Path) -> None:
    data, report = read_dataset(folder(tmp_path, CSV))
    assert rows(data) == [(1, 2, 1, 964981247), (1, 1, 8, 964982703), (2, 1, 10, 964982224)]
    titles = [(movie.title, movie.year, movie.genres) for movie in data.movies]
    assert titles == [
        ("Toy Story", 1995, ("Adventure", "Animation", "Children")),
        ("The Matrix", 1999, ("Action", "Sci-Fi")),
        ("Babylon 5", None, ()),
    ]
    assert list(data.movies[0].tags) == ["pixar"]
    assert list(data.movies[1].tags) == ["bullet time, slow"]
    assert report.malformed == 0
    assert [tally.rows for tally in report.files] == [3, 1, 3, 3]


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8"])
def test_a_release_in_dat_files(tmp_path: Path, encoding: str) -> None:
    data, _ = read_dataset(folder(tmp_path, DAT, encoding))
    assert rows(data) == [(1, 1, 8, 978300760), (1, 2, 7, 978302109)]
    assert [movie.title for movie in data.movies] == ["Toy Story", "Les Misérables"]
    assert data.movies[0].genres == ("Animation", "Children", "Comedy")
    assert list(data.movies[1].tags) == ["excellent!"]


@pytest.mark.parametrize("genres", [{}, {"u.genre": "unknown|0\nAction|1\n\nWar|2\nDrama|3\n"}])
def test_ml_100k(tmp_path: Path, genres: dict[str, str]) -> None:
    data, report = read_dataset(folder(tmp_path, {**ML_100K, **genres}, "latin-1"))
    assert rows(data) == [(186, 1, 10, 891717742), (196, 2, 6, 881250949)]
    first, second = data.movies
    assert (first.title, first.year) == ("Toy Story", 1995)
    assert first.genres == (("Drama",) if genres else ("Animation", "Children", "Comedy"))
    assert (second.title, second.year, second.genres) == ("unknown", 1997, ())
    assert report.refused == {}


@pytest.mark.parametrize("top", ["", "ml-latest-small/", "a/b/"])
def test_a_zip_with_or_without_a_top_folder(tmp_path: Path, top: str) -> None:
    archive = tmp_path / "release.zip"
    with zipfile.ZipFile(archive, "w") as out:
        for name, text in CSV.items():
            out.writestr(top + name, text)
        out.writestr("__MACOSX/ml/ratings.csv", "rubbish")
    assert read_dataset(archive)[0].version == read_dataset(folder(tmp_path, CSV))[0].version


def test_a_folder_that_holds_the_release_s_folder(tmp_path: Path) -> None:
    folder(tmp_path, CSV)
    assert len(read_dataset(tmp_path)[0]) == 3


def test_a_folder_without_data_names_what_was_looked_for(tmp_path: Path) -> None:
    looked = r"no data here; looked for a table with columns movie and title.*ratings\.csv with"
    with pytest.raises(DataError, match=looked):
        read_dataset(tmp_path)
    (tmp_path / "ratings.csv").write_text(CSV["ratings.csv"])
    with pytest.raises(DataError, match=looked):
        read_dataset(tmp_path)


def test_a_path_that_is_not_there_or_no_zip(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder or file"):
        read_dataset(tmp_path / "absent")
    (tmp_path / "file.zip").write_text("no zip")
    with pytest.raises(DataError, match="not a readable zip"):
        read_dataset(tmp_path / "file.zip")


def test_a_zip_with_damaged_content_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / "release.zip"
    with zipfile.ZipFile(archive, "w") as out:
        for name, text in CSV.items():
            out.writestr(name, text)
    archive.write_bytes(archive.read_bytes().replace(b"1,1,4.0,964982703", b"1,1,4.5,964982703"))
    with pytest.raises(DataError, match="not a readable zip"):
        read_dataset(archive)


def test_of_several_ratings_of_a_pair_the_last_by_time_counts(tmp_path: Path) -> None:
    ratings = "userId,movieId,rating,timestamp\n1,1,1.0,30\n1,2,5.0,20\n1,1,2.0,10\n1,2,4.5,20\n"
    data, report = read_dataset(folder(tmp_path, {**CSV, "ratings.csv": ratings}))
    assert rows(data) == [(1, 2, 9, 20), (1, 1, 2, 30)]
    assert report.replaced == 2


def test_what_has_no_movie_is_left_out_and_counted(tmp_path: Path) -> None:
    files = {
        **CSV,
        "ratings.csv": CSV["ratings.csv"] + "5,77,3.0,5\n",
        "tags.csv": CSV["tags.csv"] + "5,77,tag,5\n5,78,tag,5\n",
    }
    data, report = read_dataset(folder(tmp_path, files))
    assert (len(data), report.ratings) == (3, 3)
    assert (report.ratings_without_movie, report.tags_without_movie) == (1, 2)
    assert report.malformed == 0


def test_other_genres_than_the_nineteen_are_taken(tmp_path: Path) -> None:
    movies = CSV["movies.csv"] + "4,Film (2000),Drama|Anime\n"
    data, report = read_dataset(folder(tmp_path, {**CSV, "movies.csv": movies}))
    assert data.movies[3].genres == ("Drama", "Anime")
    assert report.refused == {}


def test_genome_tags_count_where_there_are_any_and_user_tags_elsewhere(tmp_path: Path) -> None:
    scores = "".join(f"1,{tag},{tag / 100}\n" for tag in range(1, 101))
    names = "".join(f"{tag},Tag {tag}\n" for tag in range(1, 101))
    genome = {
        "genome-scores.csv": f"movieId,tagId,relevance\n{scores}3,1,0.4999\n3,2,0.5\n",
        "genome-tags.csv": f"tagId,tag\n{names}",
    }
    data, _ = read_dataset(folder(tmp_path, {**CSV, **genome}))
    tags = [movie.tags for movie in data.movies]
    assert list(tags[0].items()) == [(f"tag {tag}", tag / 100) for tag in range(100, 80, -1)]
    assert list(tags[1]) == ["bullet time, slow"]
    assert tags[2] == {"tag 2": 0.5}


def test_more_voices_and_rarer_tags_are_more_relevant(tmp_path: Path) -> None:
    given = [(1, 1, "rare"), (1, 1, "common"), (1, 2, "common"), (1, 3, "common")]
    given += [(user, 2, "loved") for user in range(1, 9)] + [(1, 2, "loved")]
    lines = "".join(f"{user},{movie},{tag},1\n" for user, movie, tag in given)
    tags = {**CSV, "tags.csv": f"userId,movieId,tag,timestamp\n{lines}"}
    first, second, _ = read_dataset(folder(tmp_path, tags))[0].movies
    assert first.tags == {"rare": 0.5, "common": 0.25}
    assert second.tags == {"loved": 0.9961, "common": 0.25}


def test_equal_data_in_another_order_has_the_same_version(tmp_path: Path) -> None:
    header, *lines = CSV["ratings.csv"].splitlines()
    turned = {**CSV, "ratings.csv": "\n".join([header, *reversed(lines)])}
    (tmp_path / "other").mkdir()
    one = read_dataset(folder(tmp_path, CSV))[0]
    other = read_dataset(folder(tmp_path / "other", turned))[0]
    assert one.version == other.version
    assert one.version != one.of_rows(one.user_ids == 1).version
