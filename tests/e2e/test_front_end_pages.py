"""The how-to pages for front ends do what they say: their commands and scripts, on a whole system.

The pages for one kind of front end are run on a gateway that asks for keys.
"""

import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, Route

from marquee_client import Marquee
from marquee_testing.document_steps import blocks, run_steps, steps

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1500)]

HOW_TO = Path(__file__).resolve().parents[2] / "docs" / "how-to"
OPEN = ("front-ends.md", "build-a-page.md")
KEYED = tuple(sorted(path.name for path in (HOW_TO / "front-ends").glob("*.md")))
VIEWERS = {"single-page-app.md": "app-7", "mobile-app.md": "phone-9"}
"""Pages that have a token, and whom it is for."""


def check(page: Path, folder: Path, address: str, **variables: str) -> None:
    """Run a page, and compare what it says with what came."""
    done = run_steps(page, folder, address, variables)
    wrong = {step.commands: (step.missing(said), said) for step, said in done if step.missing(said)}
    assert not wrong


@pytest.fixture
def key(
    gateways: list[httpx.Client],
    create: Callable[..., dict[str, str]],
    wait_until: Callable[..., float],
) -> str:
    """A shop's key that the gateways know."""
    header = create("--name", "pages", "--scope", "read,write")
    wait_until(lambda: gateways[0].get("/v1/genres", headers=header).status_code == 200, 5.0)
    return header["Authorization"].removeprefix("Bearer ")


def test_the_pages_of_each_kind_are_there() -> None:
    assert len(KEYED) >= 4
    assert all(len(list(steps(HOW_TO / "front-ends" / name))) >= 2 for name in KEYED)


@pytest.mark.parametrize("name", OPEN)
def test_what_all_front_ends_have_in_common(
    full_system: Any, wait_until: Callable[..., float], tmp_path: Path, name: str
) -> None:
    settled(full_system.client, wait_until)
    check(HOW_TO / name, tmp_path, full_system.url)


@pytest.mark.parametrize("name", KEYED)
def test_a_page_for_one_kind_of_front_end(
    full_system: Any,
    gateways: list[httpx.Client],
    key: str,
    wait_until: Callable[..., float],
    tmp_path: Path,
    name: str,
) -> None:
    settled(full_system.client, wait_until)
    address = str(gateways[0].base_url).rstrip("/")
    variables = {"KEY": key, "SHOP_KEY": key}
    if name in VIEWERS:
        with Marquee(address, key=key) as marquee:
            variables["TOKEN"] = marquee.viewer_token(VIEWERS[name]).token
    check(HOW_TO / "front-ends" / name, tmp_path, address, **variables)


def settled(client: httpx.Client, wait_until: Callable[..., float]) -> None:
    """Wait until the services have all that the tests before wrote: then a list holds still."""

    def still() -> bool:
        path = "/v1/users/1/recommendations"
        tags = [client.get(path).headers["etag"] for _ in range(3)]
        return all(before == after for before, after in pairwise(tags))

    wait_until(still)


@pytest.fixture
def page(chromium: Browser, marquee_url: str) -> Page:
    """A page of the gateway's own origin, so that scripts may call it."""
    opened = chromium.new_page(base_url=marquee_url)
    opened.goto("/docs")
    return opened


def script(name: str) -> str:
    """Return the script of a page."""
    [text] = blocks(HOW_TO / name, "js")
    return text


CALLS = """
const gone = [];
const call = gateway("", async () => { gone.push("token"); return "t" + gone.length; });
"""


def test_the_call_of_the_page_that_calls_by_itself(page: Page, new_user: int) -> None:
    body = f"""
    const path = "/v1/users/{new_user}";
    const written = await call(path + "/ratings/260", {{ method: "PUT", body: {{ rating: 5 }} }});
    const list = await call(path + "/recommendations?k=3&after=" + written.token);
    const refused = await call(path + "/recommendations?k=1000").catch((problem) => problem.code);
    return [list.fresh, list.evidence.ratings, refused, gone.length];
    """
    source = f"async () => {{ {script('front-ends/single-page-app.md')} {CALLS} {body} }}"
    assert page.evaluate(source) == [True, 1, "invalid_input", 1]


@pytest.mark.parametrize(
    ("faults", "end", "tokens"),
    [
        (["401", "abort", "503"], "done", [1, 2, 2, 2]),
        (["401", "401"], "none", [1, 2]),
        (["503"] * 4, "none", [1, 1, 1, 1]),
        (["abort"] * 4, "offline", [1, 1, 1, 1]),
        (["409"], "none", [1]),
    ],
)
def test_a_call_is_sent_again_with_a_new_token_or_after_a_break(
    page: Page, new_user: int, faults: list[str], end: str, tokens: list[int]
) -> None:
    sent: list[tuple[str | None, str | None]] = []
    coming = list(faults)

    def trouble(route: Route) -> None:
        headers = route.request.headers
        sent.append((headers.get("authorization"), headers.get("idempotency-key")))
        fault = coming.pop(0) if coming else ""
        if fault == "abort":
            route.abort()
        elif fault:
            route.fulfill(status=int(fault), headers={"Retry-After": "0"}, body='{"code": "none"}')
        else:
            route.continue_()

    page.route(re.compile(r"/ratings/\d+$"), trouble)
    body = f"""
    const options = {{ method: "PUT", body: {{ rating: 4 }} }};
    const write = call("/v1/users/{new_user}/ratings/1", options);
    return write.then(() => "done", (problem) => problem.code);
    """
    source = f"async () => {{ {script('front-ends/single-page-app.md')} {CALLS} {body} }}"
    assert page.evaluate(source) == end
    assert [token for token, _ in sent] == [f"Bearer t{number}" for number in tokens]
    assert len({key for _, key in sent}) == 1


def test_the_page_follows_a_list_as_the_page_on_front_ends_says(page: Page, new_user: int) -> None:
    address = f"/v1/users/{new_user}/recommendations/changes?k=3"
    source = f"""async () => {{
      {script("front-ends.md")}
      return new Promise((done) => {{
        const shown = [];
        follow("{address}", "none", (list) => {{
          shown.push(list.items.map((film) => film.movie_id));
          const film = shown[0][0];
          const away = `/v1/users/{new_user}/dismissed/${{film}}`;
          if (shown.length === 1) fetch(away, {{ method: "PUT" }});
          else if (!shown.at(-1).includes(film)) done(shown.length);
        }});
      }});
    }}"""
    assert page.evaluate(source) >= 2
