"""Links of films to IMDb and TMDB are read beside the films."""

from pathlib import Path

import pytest

from marquee.domain.ids import id_text, number_of
from marquee.domain.movie_fields import MovieLinks
from marquee.errors import DataError
from trainer.datasets.files.options import ImportOptions
from trainer.datasets.links import imdb_id, read_links_at
from trainer.datasets.reader import read_dataset


def write(folder: Path, links: str, films: str = "1,One\n2,Two\nthree,Three\n") -> Path:
    (folder / "movies.csv").write_text(f"movieId,title\n{films}")
    (folder / "links.csv").write_text(links)
    return folder


def test_links_by_the_number_of_the_film(tmp_path: Path) -> None:
    text = "movieId,imdbId,tmdbId\n1,0114709,862\n2,0113497,\nthree,tt10872600,634649.0\n9,1,2\n"
    data, report = read_dataset(write(tmp_path, text))
    assert report.links == {
        1: MovieLinks(imdb="tt0114709", tmdb=862),
        2: MovieLinks(imdb="tt0113497"),
        number_of("three"): MovieLinks(imdb="tt10872600", tmdb=634649),
    }
    assert "films with links 3" in report.lines(data)
    links = {movie.movie_id: movie.links for movie in data.movies}
    assert links[1] == MovieLinks(imdb="tt0114709", tmdb=862)


@pytest.mark.parametrize("column", ["imdbId", "imdb_id", "tmdbId", "tmdb_id"])
def test_one_kind_of_link_will_do(tmp_path: Path, column: str) -> None:
    _, report = read_dataset(write(tmp_path, f"movieId,{column}\n1,114709\n2,\n"))
    is_imdb = column.startswith("imdb")
    wanted = MovieLinks(imdb="tt0114709") if is_imdb else MovieLinks(tmdb=114709)
    assert report.links == {1: wanted}


def test_malformed_links_are_told(tmp_path: Path) -> None:
    text = "movieId,imdbId,tmdbId\n1,nm0000001,862\n2,0113497,-5\n"
    _, report = read_dataset(write(tmp_path, text), ImportOptions(max_loss=1.0))
    assert report.links == {}
    assert [str(example) for example in report.files[1].examples] == [
        "links.csv, line 2: imdb id 'nm0000001' is not as tt0111161",
        "links.csv, line 3: tmdb id '-5' is not a whole number from 1",
    ]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("0114709", "tt0114709"),
        ("114709", "tt0114709"),
        ("114709.0", "tt0114709"),
        ("tt0114709", "tt0114709"),
        ("tt10872600", "tt10872600"),
        ("0", None),
        ("", None),
        ("nm1", None),
    ],
)
def test_ids_at_imdb_have_one_form(text: str, wanted: str | None) -> None:
    assert imdb_id(text) == wanted


@pytest.mark.parametrize("name", ["some.csv", "links.csv", "release/links.csv"])
def test_a_table_of_links_is_read_without_films(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("movieId,imdbId\n1,0114709\nthree,3\n")
    links = read_links_at(path if name == "some.csv" else tmp_path)
    assert {id_text(movie_id): link for movie_id, link in links.items()} == {
        "1": MovieLinks(imdb="tt0114709"),
        "three": MovieLinks(imdb="tt0000003"),
    }


def test_a_table_of_another_name_beside_others_is_none(tmp_path: Path) -> None:
    for name in ("some.csv", "other.csv"):
        (tmp_path / name).write_text("movieId,imdbId\n1,0114709\n")
    with pytest.raises(DataError, match="no table movieId,imdbId,tmdbId"):
        read_links_at(tmp_path)
