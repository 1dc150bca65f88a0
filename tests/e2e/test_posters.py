"""Posters and panels for a catalogue of any language: titles that fit, genres that have colours."""

import functools
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

STATIC = Path(__file__).parents[2] / "services" / "web" / "static"
TITLES = [
    "Il",
    "The Shawshank Redemption",
    "Dr. Strangelove or: How I Learned to Stop Worrying and Love the Bomb",
    "WWWWWWWWWWWWWWWW MMMMMMMM",
    "Достопримечательности",
    "Превысокомногорассмотрительствующий",
    "Ирония судьбы, или С лёгким паром!",
    "Donaudampfschifffahrtsgesellschaftskapitän",
    "Die Rechtsschutzversicherungsgesellschaften schlagen zurück",
    "千と千尋の神隠し",
    "臥虎藏龍之青冥寶劍與玉嬌龍的江湖恩怨情仇錄",
    "기생충",
    "สวัสดีชาวโลกที่รักทุกคนในวันนี้",
    "تجربة الفيلم الطويل جدا",
    "1234567890" * 12,
]
GENRES = ["Драма", "Комедия", "Мелодрама", "Фантастика", "Боевик", "Ужасы", "武俠", "Komödie"]
DRAW = """async ([title, year]) => {
    const { poster } = await import("/static/poster.js");
    const art = poster({ movie_id: 1, title, year, genres: ["Драма"] });
    const box = document.createElement("div");
    box.className = "poster";
    box.append(art);
    document.body.replaceChildren(box);
    return [...art.querySelectorAll(".lettering text")].map((text) => {
        const { x, y, width } = text.getBBox();
        return { text: text.textContent, left: x, right: x + width, top: y };
    });
}"""
COLOURS = """async (names) => {
    const { inks } = await import("/static/palette.js");
    const canvas = document.createElement("canvas").getContext("2d");
    const rgb = (colour) => {
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data.slice(0, 3)];
    };
    return names.map((name) => [rgb(inks(name).light), rgb(inks(name).deep)]);
}"""
PANEL = """async (known) => {
    const { createRatings } = await import("/static/ratings.js");
    const panel = document.createElement("section");
    document.body.replaceChildren(panel);
    createRatings(panel, { id: 7, ratings: new Map(), known }).sync();
    const links = [...panel.querySelectorAll("a")];
    return { words: panel.innerText, shown: links.filter((one) => one.checkVisibility()).length };
}"""


class Files(SimpleHTTPRequestHandler):
    """Serves the page's files as the gateway does, and no API."""

    def translate_path(self, path: str) -> str:
        return super().translate_path(path.removeprefix("/static"))

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def page(chromium: Browser) -> Iterator[Page]:
    handler = functools.partial(Files, directory=str(STATIC))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        context = chromium.new_context()
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{server.server_port}/")
        yield page
        context.close()
        server.shutdown()


def contrast(light: list[int], deep: list[int]) -> float:
    """Return the contrast of two colours as WCAG defines it."""

    def luminance(colour: list[int]) -> float:
        parts = [c / 255 / 12.92 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    return (luminance(light) + 0.05) / (luminance(deep) + 0.05)


@pytest.mark.parametrize("year", [1950, 2005], ids=["serif", "sans"])
@pytest.mark.parametrize("title", TITLES, ids=lambda title: title[:12])
def test_a_title_stays_within_its_poster(page: Page, title: str, year: int) -> None:
    *lines, _ = page.evaluate(DRAW, [title, year])
    assert 1 <= len(lines) <= 5
    for line in lines:
        assert line["left"] >= 10, line
        assert line["right"] <= 190, line
        assert line["top"] >= 100, line


def test_no_letter_of_a_long_word_is_lost(page: Page) -> None:
    for title in ("Достопримечательности", "Человек-амфибия", "臥虎藏龍之青冥寶劍與玉嬌龍"):
        *lines, _ = page.evaluate(DRAW, [title, 2005])
        text = "".join(line["text"] for line in lines)
        assert text.replace("-", "") == title.upper().replace("-", "")


def test_genres_that_the_palette_does_not_name_have_colours_of_their_own(page: Page) -> None:
    colours: list[Any] = page.evaluate(COLOURS, GENRES)
    assert len({str(light) for light, _ in colours}) == len(GENRES)
    assert all(max(light) - min(light) > 60 for light, _ in colours)
    assert page.evaluate(COLOURS, [name.upper() for name in GENRES]) == colours


def test_the_two_inks_of_any_genre_can_be_told_apart(page: Page) -> None:
    names = [f"жанр {n}" for n in range(300)]
    assert min(contrast(*pair) for pair in page.evaluate(COLOURS, names)) >= 4.5


def test_a_viewer_without_ratings_of_whom_something_is_known_can_take_it_along(page: Page) -> None:
    panel = page.evaluate(PANEL, True)
    assert panel["shown"] == 2
    assert "Nothing yet" not in panel["words"]
    panel = page.evaluate(PANEL, False)
    assert panel["shown"] == 0
    assert "Nothing yet" in panel["words"]
