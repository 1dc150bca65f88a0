"""A release arrives whole and as published, or not at all."""

import hashlib
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from marquee.errors import DataError, Unavailable
from trainer.datasets.download import RELEASES, download

Handler = Callable[[httpx.Request], httpx.Response]


def archive() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as out:
        out.writestr("ml/ratings.csv", "userId,movieId,rating,timestamp\n")
    return buffer.getvalue()


CONTENT = archive()
MD5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()


def serving(content: bytes, md5: str, asked: list[str]) -> httpx.Client:
    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        if request.url.path.endswith(".md5"):
            return httpx.Response(200, text=f"MD5 (ml-latest-small.zip) = {md5}\n")
        return httpx.Response(200, content=content)

    return client(answer)


def client(answer: Handler) -> httpx.Client:
    return httpx.Client(transport=httpx.MockTransport(answer))


def test_a_release_arrives_with_progress_and_its_checksum_is_read_beside_it(
    tmp_path: Path,
) -> None:
    asked: list[str] = []
    seen: list[tuple[int, int | None]] = []
    path = download(
        "ml-latest-small", tmp_path / "new", serving(CONTENT, MD5.upper(), asked),
        lambda arrived, total: seen.append((arrived, total)),
    )  # fmt: skip
    assert path == tmp_path / "new" / "ml-latest-small.zip"
    assert path.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    start = "https://files.grouplens.org/datasets/movielens/ml-latest-small.zip"
    assert asked == [f"{start}.md5", start]


@pytest.mark.parametrize("name", ["ml-latest-small", "ml-1m"])
def test_what_was_not_published_is_refused_and_leaves_nothing(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=f"md5 is {MD5}, published is"):
        download(name, tmp_path, serving(CONTENT, "0" * 32, []))
    assert list(tmp_path.iterdir()) == []


def test_a_page_instead_of_a_zip_is_refused(tmp_path: Path) -> None:
    page = b"<html>Please log in</html>"
    md5 = hashlib.md5(page, usedforsecurity=False).hexdigest()
    with pytest.raises(DataError, match="not a zip"):
        download("ml-latest-small", tmp_path, serving(page, md5, []))
    with pytest.raises(DataError, match="no md5 in it"):
        download("ml-latest-small", tmp_path, serving(CONTENT, "none today", []))


@pytest.mark.parametrize("status", [302, 404, 500])
def test_anything_but_the_file_itself_is_refused(tmp_path: Path, status: int) -> None:
    elsewhere = {"location": "https://elsewhere.example/ml-1m.zip"}
    answers = client(lambda _: httpx.Response(status, headers=elsewhere))
    with pytest.raises(DataError, match=f"the host answered {status}"):
        download("ml-1m", tmp_path, answers)
    assert list(tmp_path.iterdir()) == []


def test_without_a_network_the_error_says_what_else_to_do(tmp_path: Path) -> None:
    def unreachable(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("Name or service not known", request=request)

    expected = r"cannot reach files\.grouplens\.org for ml-1m \(Name or service not known\); import"
    with pytest.raises(Unavailable, match=expected):
        download("ml-1m", tmp_path, client(unreachable))
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_release_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no release 'ml-2m'; there are ml-latest-small, ml-latest"):
        download("ml-2m", tmp_path)


def test_a_damaged_file_that_is_there_is_fetched_again(tmp_path: Path) -> None:
    (tmp_path / "ml-latest-small.zip").write_bytes(b"damaged")
    path = download("ml-latest-small", tmp_path, serving(CONTENT, MD5, []))
    assert path.read_bytes() == CONTENT


def test_checksums_are_md5_in_lower_case() -> None:
    for md5 in RELEASES.values():
        assert md5 is None or (len(md5) == 32 and set(md5) <= set("0123456789abcdef"))
