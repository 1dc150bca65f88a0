"""A user's way through the page in Chromium, against a whole running system."""

import pytest
from playwright.sync_api import Locator, Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1500)]

# Deadline of every visible result, in ms: generous, since the machine may be busy.
DEADLINE = 60_000
UNRATED = '#shelf .stars[data-state="unrated"] input'

expect.set_options(timeout=DEADLINE)


def title_of(card: Locator) -> str:
    words: str = card.locator("h3").evaluate("heading => heading.firstChild.textContent")
    return words


def card_of(stars: Locator) -> Locator:
    return stars.locator("xpath=ancestor::li")


def give(page: Page, stars: Locator, key: str) -> None:
    """Keys go to the focus: a locator of unrated stars means others once these are touched."""
    stars.focus()
    page.keyboard.press(key)
    page.keyboard.press("Enter")


def rate(page: Page, key: str) -> str:
    """Rate the first unrated movie of the list by keyboard, wait for the list, return the title."""
    stars = page.locator(UNRATED).first
    title = title_of(card_of(stars))
    give(page, stars, key)
    expect(page.locator("#strip .effect")).to_contain_text(f"Rated {title}")
    expect(page.locator("#strip .effect")).to_contain_text(" ms")
    return title


def pick(page: Page, genre: str) -> None:
    page.get_by_role("checkbox", name=genre, exact=True).check()
    expect(page.locator("#films-title")).to_contain_text(genre)


def answers(page: Page, route: str) -> None:
    expect(page.locator("#strip")).to_have_attribute("data-route", route)


def test_a_genre_brings_five_movies_of_it_at_once(visit):
    page = visit()
    pick(page, "Western")
    expect(page.locator("#shelf .card")).to_have_count(5)
    for kinds in page.locator("#shelf .kinds").all_inner_texts():
        assert "Western" in kinds
    answers(page, "popular")
    expect(page.locator("#strip .next-words")).to_contain_text("1 rating")


def test_two_genres_are_a_union(visit):
    page = visit()
    pick(page, "Film-Noir")
    pick(page, "Western")
    expect(page.locator("#films-title")).to_contain_text("Film-Noir or Western")
    for kinds in page.locator("#shelf .kinds").all_inner_texts():
        assert "Film-Noir" in kinds or "Western" in kinds


def test_rating_moves_the_user_from_route_to_route(visit):
    page = visit()
    pick(page, "Comedy")
    answers(page, "popular")
    rated = [rate(page, "5")]
    answers(page, "hybrid")
    expect(page.locator("#strip .next-words")).to_contain_text("4 more ratings")
    for key in "541":
        rated.append(rate(page, key))
        answers(page, "hybrid")
    rated.append(rate(page, "4"))
    answers(page, "user-cluster")
    expect(page.locator("#strip .next-words")).to_contain_text("15 more ratings")
    expect(page.locator("#ratings-title")).to_have_text("Your ratings (5)")
    listed = [title_of(row) for row in page.locator("#ratings .row").all()]
    assert sorted(listed) == sorted(rated)


def test_twenty_ratings_bring_the_network(visit):
    page = visit()
    for n in range(20):
        rate(page, "4" if n % 2 else "5")
    answers(page, "neural")
    expect(page.locator("#strip .next-words")).to_contain_text("most personal")


def test_seen_without_a_rating_brings_similar_movies(visit):
    page = visit()
    card = page.locator("#shelf .card").first
    title = title_of(card)
    card.get_by_role("button", name="Seen it").click()
    answers(page, "similar")
    expect(page.locator("#strip .effect")).to_contain_text(title)
    expect(page.locator('#shelf [data-reason="similar_to_viewed"]').first).to_be_visible()


def test_undo_takes_a_rating_back(visit):
    page = visit()
    title = rate(page, "5")
    answers(page, "hybrid")
    page.get_by_role("button", name=f"Undo the rating of {title}").first.click()
    answers(page, "popular")
    expect(page.locator("#ratings-title")).to_have_text("Your ratings")


def test_a_rated_movie_keeps_its_place_until_the_next_one_is_rated(visit):
    page = visit()
    stars = page.locator(UNRATED).nth(2)
    card = page.locator(f'#shelf [data-movie="{card_of(stars).get_attribute("data-movie")}"]')
    give(page, stars, "5")
    answers(page, "hybrid")
    expect(page.locator("#shelf .card").nth(2)).to_have_attribute(
        "data-movie", card.get_attribute("data-movie") or ""
    )
    expect(card.locator("input")).to_be_focused()
    expect(card.locator(".outcome")).to_contain_text("You gave 5 stars.")
    expect(card.locator(".why")).to_contain_text("leaves with your next choice")
    rate(page, "4")
    expect(card).to_have_count(0)


def test_the_rated_movie_whose_card_stays_is_not_named_as_one_that_left(visit):
    page = visit()
    title = rate(page, "5")
    answers(page, "hybrid")
    expect(page.locator(".change .effect")).to_contain_text(title)
    for left in page.locator(".change .small-text").all():
        if left.locator(".tag").inner_text() == "Out":
            assert title not in left.inner_text()


def test_any_movie_can_be_found_rated_changed_and_taken_back(visit):
    page = visit()
    page.get_by_role("searchbox").fill("toy story")
    row = page.locator("#search .row").first
    expect(row.locator("h3")).to_contain_text("Toy Story")
    box = row.locator("input").bounding_box()
    assert box
    # The middle of the left half of the fourth star: three and a half.
    row.locator("input").click(position={"x": box["width"] * 0.65, "y": box["height"] / 2})
    expect(row.locator("input")).to_have_attribute(
        "aria-valuetext", "three and a half of five stars"
    )
    mine = page.locator("#ratings .row").first
    expect(mine.locator("h3")).to_contain_text("Toy Story")
    mine.locator("input").press("2")
    mine.locator("input").press("Enter")
    expect(row.locator("input")).to_have_attribute("aria-valuetext", "two of five stars")
    mine.get_by_role("button", name="Take back").click()
    expect(page.locator("#ratings-title")).to_have_text("Your ratings")
    expect(row.locator(".stars")).to_have_attribute("data-state", "unrated")


def test_the_ratings_are_still_there_after_a_reload(visit):
    page = visit()
    title = rate(page, "5")
    page.reload()
    expect(page.locator("#ratings-title")).to_have_text("Your ratings (1)")
    expect(page.locator("#ratings .row h3")).to_contain_text(title)
    answers(page, "hybrid")
    viewer = page.locator("#viewer-id").inner_text()
    address = f"v1/users/{viewer}/export?format=letterboxd"
    expect(page.get_by_role("link", name="for Letterboxd")).to_have_attribute("href", address)


def test_starting_over_makes_a_new_user(visit):
    page = visit()
    before = page.locator("#viewer-id").inner_text()
    rate(page, "5")
    page.get_by_role("button", name="Start over as a new viewer").click()
    expect(page.locator("#viewer-id")).not_to_have_text(before)
    answers(page, "popular")
    expect(page.locator("#ratings-title")).to_have_text("Your ratings")
