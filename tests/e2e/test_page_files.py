"""The files of the page: small, from this house alone, and free of what its policy forbids."""

import gzip
import re
from pathlib import Path

import pytest

from gateway.recommend.shelf_sources import ShelfKind
from marquee.domain.recommendation import Reason, Route

STATIC = Path(__file__).parents[2] / "services" / "web" / "static"
FILES = sorted(path for path in STATIC.iterdir() if path.is_file())
NAMES = [path.name for path in FILES]


def test_the_whole_page_is_at_most_sixty_kilobytes_on_the_wire():
    assert sum(len(gzip.compress(path.read_bytes())) for path in FILES) <= 60_000


@pytest.mark.parametrize("name", NAMES)
def test_no_file_names_another_host(name):
    text = (STATIC / name).read_text(encoding="utf-8")
    # Names of XML vocabularies look like addresses, but nobody calls them.
    addresses = set(re.findall(r"(?:https?:)?//[\w.-]+\.[a-z]{2,}[^\s\"')]*", text))
    assert addresses <= {"http://www.w3.org/2000/svg"}


@pytest.mark.parametrize("name", NAMES)
def test_every_file_is_short_enough_to_read(name):
    assert len((STATIC / name).read_text(encoding="utf-8").splitlines()) <= 300


def test_the_html_has_no_inline_script_or_style():
    html = (STATIC / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", html)


def test_everything_that_the_files_load_exists():
    html = (STATIC / "index.html").read_text(encoding="utf-8")
    loaded = set(re.findall(r"(?:href|src)=\"static/([\w.-]+)\"", html))
    for path in STATIC.glob("*.js"):
        loaded |= set(re.findall(r"from \"\./([\w.-]+)\"", path.read_text(encoding="utf-8")))
    assert loaded <= set(NAMES)
    assert {name for name in NAMES if name.endswith((".js", ".css"))} <= loaded


@pytest.mark.parametrize("code", [*Reason, *ShelfKind])
def test_every_reason_and_kind_of_row_has_words(code):
    words = (STATIC / "words.js").read_text(encoding="utf-8")
    assert re.search(rf"^    {code.value}: ", words, re.MULTILINE)


@pytest.mark.parametrize("route", Route)
def test_every_route_has_words(route):
    words = (STATIC / "words.js").read_text(encoding="utf-8")
    assert f'{{ name: "{route.value}", title: ' in words
