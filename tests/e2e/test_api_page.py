"""The API page: every call can be tried in the browser, without another host."""

import re
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, expect

from marquee_local.servers import free_port
from marquee_testing.servers.gateway_process import gateway_process

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]  # its first test may start the demo

DEADLINE = 15_000

expect.set_options(timeout=DEADLINE)


def test_a_call_that_is_tried_on_the_page_is_really_sent(chromium: Browser, system):
    page = chromium.new_page(base_url=system.url)
    requests: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda message: complaints.append(message.text) if message.type == "error" else None,
    )
    page.goto("/docs")
    call = page.locator("[id$=-recommend_user]")
    call.locator(".opblock-summary-control").click()
    call.get_by_role("button", name="Try it out").click()
    call.locator("tr[data-param-name=user_id] input").fill("42")
    with page.expect_response(re.compile("/v1/users/42/recommendations")) as response:
        call.get_by_role("button", name="Execute").click()
    assert response.value.status == 200
    shown = call.locator(".live-responses-table tbody .response-col_description")
    expect(shown).to_contain_text("recommendation_id")
    assert {urlsplit(url).netloc for url in requests} == {urlsplit(system.url).netloc}
    assert complaints == []
    page.close()


def test_a_call_is_really_sent_under_a_prefix(chromium: Browser, redis_url: str, namespace: str):
    ports = free_port(), free_port()
    with gateway_process(redis_url, namespace, ports, ready="live", root_path="/films") as gateway:
        page = chromium.new_page(base_url=gateway.url)
        page.goto("/films/docs")
        call = page.locator("[id$=-list_genres]")
        call.locator(".opblock-summary-control").click()
        call.get_by_role("button", name="Try it out").click()
        with page.expect_response(re.compile("/films/v1/genres")) as response:
            call.get_by_role("button", name="Execute").click()
        assert response.value.status == 200
        shown = call.locator(".live-responses-table tbody .response-col_description")
        expect(shown).to_contain_text("degraded")
        page.close()
