"""Download of a MovieLens release by name from its publisher, with checks of the file."""

import hashlib
import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from marquee.errors import DataError, Unavailable
from marquee.files import staged

ALLOWED_HOSTS = frozenset({"files.grouplens.org"})
"""The only hosts that are contacted; redirects to others are refused."""

_FOLDER = "https://files.grouplens.org/datasets/movielens/"

RELEASES: dict[str, str | None] = {
    "ml-latest-small": None,
    "ml-latest": None,
    "ml-100k": "0e33842e24a9c977be4e0107933c0723",
    "ml-1m": "c4d9eecfca2ab87c1945afe126590906",
    "ml-10m": "ce571fd55effeba0271552578f2648bd",
    "ml-20m": "cd245b17a1ae2cc31bb14903e1204af3",
    "ml-25m": "6b51fb2759a8657d3bfcbfc42b592ada",
    "ml-32m": "d472be332d4daa821edc399621853b57",
}
"""Published md5 by release; None: the release changes, and its md5 is fetched with it."""

Progress = Callable[[int, int | None], None]
"""Called with the bytes that have arrived and the total, if known."""


def download(
    name: str,
    directory: Path,
    client: httpx.Client | None = None,
    progress: Progress = lambda _arrived, _total: None,
) -> Path:
    """Fetch a release; a complete zip that is there already is not fetched again.

    Args:
        name: A release, such as `ml-25m`.
        directory: Folder to write into.
        client: HTTP client; None: a new one.
        progress: Called with the bytes that have arrived.

    Returns:
        Path of the zip.

    Raises:
        DataError: The name is unknown, or the file is not the published one; it is not kept.
        Unavailable: The host cannot be reached.
    """
    if name not in RELEASES:
        raise DataError(f"no release {name!r}; there are {', '.join(RELEASES)}", "name")
    target = directory / f"{name}.zip"
    known = RELEASES[name]
    if target.exists() and known and _md5(target) == known:
        return target
    directory.mkdir(parents=True, exist_ok=True)
    if client is None:
        with httpx.Client(timeout=httpx.Timeout(30.0, connect=10.0)) as own:
            return download(name, directory, own, progress)
    with _translated_errors(name):
        expected = known or _published_md5(client, name)
        return _fetch(client, target, expected, progress)


def _fetch(client: httpx.Client, target: Path, expected: str, progress: Progress) -> Path:
    with staged(target) as part:
        _stream(client, _FOLDER + target.name, part, progress)
        actual = _md5(part)
        if actual != expected:
            raise DataError(f"{target.name}: md5 is {actual}, published is {expected}")
        if not zipfile.is_zipfile(part):
            raise DataError(f"{target.name}: what arrived is not a zip")
        part.replace(target)
    return target


def _stream(client: httpx.Client, url: str, part: Path, progress: Progress) -> None:
    with client.stream("GET", _allowed(url)) as response, part.open("wb") as file:
        _check(response)
        length = response.headers.get("content-length", "")
        total = int(length) if length.isdigit() else None
        arrived = 0
        for chunk in response.iter_bytes(1 << 16):
            file.write(chunk)
            arrived += len(chunk)
            progress(arrived, total)


def _published_md5(client: httpx.Client, name: str) -> str:
    response = client.get(_allowed(f"{_FOLDER}{name}.zip.md5"))
    _check(response)
    digest = re.search(r"\b[0-9a-fA-F]{32}\b", response.text)
    if not digest:
        raise DataError(f"{response.url}: no md5 in it")
    return digest[0].lower()


def _allowed(url: str) -> str:
    if httpx.URL(url).host not in ALLOWED_HOSTS:
        raise DataError(f"{url}: only {', '.join(sorted(ALLOWED_HOSTS))} is asked for data")
    return url


def _check(response: httpx.Response) -> None:
    """Refuse every status but 200: a redirect could lead to another host."""
    if response.status_code != httpx.codes.OK:
        raise DataError(f"{response.url}: the host answered {response.status_code}")


@contextmanager
def _translated_errors(name: str) -> Iterator[None]:
    try:
        yield
    except httpx.TransportError as error:
        raise Unavailable(
            f"cannot reach {', '.join(ALLOWED_HOSTS)} for {name} ({error or type(error).__name__});"
            " import a folder or a zip that you have, or generate data"
        ) from error


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
