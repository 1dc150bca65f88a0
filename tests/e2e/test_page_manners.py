"""The page by keyboard alone, in trouble, on small screens, and towards other hosts."""

import re
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from marquee_testing.browser import arrive, assert_fits, tab_to

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1500)]

DEADLINE = 60_000
STARS = "#shelf .stars input"

expect.set_options(timeout=DEADLINE)


def test_no_other_host_is_asked_and_the_console_stays_silent(blank, marquee_url):
    page = blank()
    hosts: set[str] = set()
    complaints: list[str] = []
    page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda message: complaints.append(message.text) if message.type == "error" else None,
    )
    arrive(page)
    page.get_by_role("checkbox", name="Drama", exact=True).check()
    expect(page.locator("#films-title")).to_contain_text("Drama")
    page.locator(STARS).first.focus()
    page.keyboard.press("4")
    page.keyboard.press("Enter")
    expect(page.locator("#ratings-title")).to_have_text("Your ratings (1)")
    page.get_by_role("searchbox").fill("alien")
    expect(page.locator("#search .row").first).to_be_visible()
    assert hosts == {urlsplit(marquee_url).netloc}
    assert complaints == []


def test_the_page_forbids_everything_from_elsewhere(blank):
    answer = blank().goto("/")
    assert answer
    assert "default-src 'self'" in answer.headers.get("content-security-policy", "")


def test_a_user_with_only_a_keyboard_picks_rates_and_undoes(visit):
    page = visit()
    tab_to(page, 'input[name="genre"][value="Comedy"]')
    page.keyboard.press("Space")
    expect(page.locator("#films-title")).to_contain_text("Comedy")
    tab_to(page, STARS)
    page.keyboard.press("4")
    page.keyboard.press("ArrowRight")
    focused = page.locator("*:focus")
    expect(focused).to_have_attribute("aria-valuetext", "four and a half of five stars")
    page.keyboard.press("Enter")
    expect(page.locator("#strip")).to_have_attribute("data-route", "hybrid")
    expect(focused).to_have_attribute("aria-valuetext", "four and a half of five stars")
    expect(page.locator("#status")).to_contain_text("4.5 stars")
    tab_to(page, "#shelf .outcome button")
    page.keyboard.press("Enter")
    expect(page.locator("#strip")).to_have_attribute("data-route", "popular")
    assert page.evaluate("document.activeElement.type") == "range"


def test_steps_on_the_way_are_not_sent_and_escape_takes_them_back(blank):
    page = blank()
    writes: list[str] = []
    page.on(
        "request", lambda request: writes.append(request.url) if request.method == "PUT" else None
    )
    arrive(page)
    stars = page.locator(STARS).first
    stars.focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowRight", "Escape"):
        stars.press(key)
    expect(stars).to_have_attribute("aria-valuetext", "not rated")
    for key in ("ArrowRight", "ArrowRight", "5", "ArrowLeft"):
        stars.press(key)
    # Nothing is pressed any more: the value is sent by rest alone.
    expect(page.locator("#ratings-title")).to_have_text("Your ratings (1)")
    expect(page.locator("#ratings input")).to_have_attribute(
        "aria-valuetext", "four and a half of five stars"
    )
    assert len(writes) == 1


def test_a_rating_that_is_refused_is_said_in_words_and_can_be_tried_again(visit):
    page = visit()
    problem = '{"title":"Unavailable","status":503,"detail":"no log","code":"unavailable"}'
    ratings = re.compile(r"/v1/users/\d+/ratings/\d+")
    page.route(
        ratings,
        lambda route: route.fulfill(
            status=503, body=problem, content_type="application/problem+json"
        ),
    )
    page.locator(STARS).first.focus()
    page.keyboard.press("5")
    page.keyboard.press("Enter")
    expect(page.locator("#shelf .refused")).to_contain_text("Not saved.")
    page.unroute(ratings)
    page.locator("#shelf .outcome").get_by_role("button", name="Try again").click()
    expect(page.locator("#ratings-title")).to_have_text("Your ratings (1)")
    expect(page.locator("#shelf .refused")).to_have_count(0)


def test_a_list_that_cannot_be_had_is_said_in_words_and_can_be_tried_again(blank):
    page = blank()
    lists = re.compile(r"/v1/recommendations")
    page.route(lists, lambda route: route.abort())
    page.goto("/")
    expect(page.locator("#films-notice")).to_contain_text("cannot be reached")
    page.unroute(lists)
    page.locator("#films-notice").get_by_role("button", name="Try again").click()
    expect(page.locator("#shelf .card[data-movie]")).to_have_count(5)
    expect(page.locator("#films-notice")).to_be_empty()


@pytest.mark.parametrize(
    ("fallback", "words"),
    [
        ({"route": "hybrid", "why": "down"}, "could not answer just now"),
        ({"route": "popular", "why": "content cannot be reached"}, "could not answer just now"),
        (
            {"route": "popular", "why": "content: no model version is loaded yet"},
            "first models are in training",
        ),
        (
            {
                "route": "hybrid",
                "why": "hybrid answered 503: hybrid: no model version is loaded yet",
            },
            "first models are in training",
        ),
        ({"route": "popular", "why": "3 of 5 films found"}, "few films for this choice"),
    ],
)
def test_a_list_that_is_not_the_usual_one_says_why(blank, fallback, words):
    page = blank()

    def degrade(route):
        answer = route.fetch()
        body = answer.json() | {"degraded": True, "fallbacks": [fallback]}
        route.fulfill(response=answer, json=body)

    page.route(re.compile(r"/v1/recommendations"), degrade)
    arrive(page)
    expect(page.locator("#strip .notice")).to_contain_text(words)


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_the_page_fits_and_its_targets_are_large_enough(visit, width, scheme):
    assert_fits(visit(viewport={"width": width, "height": 800}, color_scheme=scheme))


def test_the_same_movie_has_the_same_poster_twice(visit):
    page = visit()
    drawn = "art => art.innerHTML.replace(/ink-\\d+/g, '')"
    first = page.locator("#shelf .poster-art").evaluate_all(f"all => all.map({drawn})")
    page.reload()
    expect(page.locator("#shelf .card[data-movie]")).to_have_count(5)
    again = page.locator("#shelf .poster-art").evaluate_all(f"all => all.map({drawn})")
    assert first == again
    assert len(set(first)) == 5
