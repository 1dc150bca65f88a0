"""A curator's day: find a film, see what a rule would change, make it, and take it back."""

import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.timeout(1500)  # the first test that needs the whole system starts it

DESK = ("--name", "desk", "--scope", "read,curate", "--reason", "new curator")
VIEWERS = ["desk:viewer-1", "desk:viewer-2"]
Create = Callable[..., dict[str, str]]
Wait = Callable[..., float]


class Desk:
    """What a caller with a key does at a gateway."""

    def __init__(self, gateway: httpx.Client, key: dict[str, str], wait: Wait) -> None:
        self.gateway, self.key, self.wait = gateway, key, wait

    def call(self, method: str, path: str, body: Any = None, **query: Any) -> dict[str, Any]:
        answer = self.gateway.request(method, path, json=body, params=query, headers=self.key)
        assert answer.status_code < 300, answer.text
        return dict(answer.json())

    def ids(self, viewer: str, **query: str) -> list[int]:
        """Return a viewer's list, of the route that is theirs: a slow service may miss its turn."""
        path, answer = f"/v1/users/{viewer}/recommendations", dict[str, Any]()

        def is_whole() -> bool:
            answer.update(self.call("GET", path, k=10, **query))
            return not answer["degraded"]

        self.wait(is_whole)
        return [item["movie_id"] for item in answer["items"]]

    def preview(self, movie_id: int, **rule: Any) -> list[dict[str, Any]]:
        body = {"movie_id": movie_id, "users": VIEWERS, **rule}
        items: list[dict[str, Any]] = []

        def is_whole() -> bool:
            items[:] = self.call("POST", "/v1/rules/preview", body)["items"]
            return not any(item["fallbacks"] for item in items)

        self.wait(is_whole)
        return items

    def audit(self, **query: Any) -> list[dict[str, Any]]:
        return list(self.call("GET", "/v1/audit", **query)["items"])


@pytest.fixture
def desk(gateways: list[httpx.Client], create: Create, wait_until: Wait) -> Desk:
    key = create(*DESK)
    path = "/v1/promotions"
    wait_until(lambda: gateways[0].get(path, headers=key).status_code == 200, 5.0)
    return Desk(gateways[0], key, wait_until)


def shown(items: list[dict[str, Any]], when: str) -> list[list[int]]:
    return [[film["movie_id"] for film in item[when]] for item in items]


def settled(desk: Desk, **query: str) -> list[list[int]]:
    """Return the lists once they have not changed for as long as popularity may be old."""
    lists: list[list[int]] = []
    since = time.monotonic()

    def is_settled() -> bool:
        nonlocal since
        now = [desk.ids(viewer, **query) for viewer in VIEWERS]
        if now != lists:
            lists[:], since = now, time.monotonic()
        return time.monotonic() - since > 2.0

    desk.wait(is_settled)
    return lists


def test_a_curator_s_day(system: Any, desk: Desk) -> None:
    for viewer, liked in zip(VIEWERS, ([260, 1196, 1210], [318, 527, 858]), strict=True):
        token = system.rate(viewer, dict.fromkeys(liked, 5.0))
    before = settled(desk, after=token)
    # Search a film that is in no list, and see what its promotion would change.
    found = desk.call("GET", "/v1/movies", query="cutthroat island")["items"]
    film = found[0]["movie_id"]
    assert all(film not in listed for listed in before)
    preview = desk.preview(film, promotion={"slots": [2]})
    assert shown(preview, "before") == before
    marks = {mark["change"] for item in preview for mark in item["after"]}
    assert {"enters", "moves"} <= marks
    assert [desk.ids(viewer) for viewer in VIEWERS] == before
    # Promote it with a reason: the lists follow the preview.
    rule = {"slots": [2], "actor": "ann"}
    desk.call("PUT", f"/v1/movies/{film}/promotion", rule, reason="anniversary")
    after = [desk.ids(viewer) for viewer in VIEWERS]
    assert after == shown(preview, "after")
    assert {listed[1] for listed in after} == {film}
    # The audit of the film, and back.
    [entry] = desk.audit(movie_id=film)
    assert (entry["actor"], entry["decided_by"], entry["reason"]) == ("desk", "ann", "anniversary")
    assert (entry["action"], entry["before"], entry["revertible"]) == ("movie.promoted", None, True)
    desk.call("POST", f"/v1/audit/{entry['id']}/revert", reason="wrong film")
    assert [desk.ids(viewer) for viewer in VIEWERS] == before
    # Block a film that is listed.
    first = before[0][0]
    preview = desk.preview(first, block={"reason": "rights"})
    assert first not in shown(preview, "after")[0]
    desk.call("PUT", f"/v1/movies/{first}/block", {"reason": "rights"})
    assert [desk.ids(viewer) for viewer in VIEWERS] == shown(preview, "after")
    blocked, reverted, promoted = desk.audit(actor="desk")
    assert (blocked["action"], blocked["reason"]) == ("movie.blocked", "rights")
    assert (reverted["reverts"], reverted["reason"]) == (promoted["id"], "wrong film")
    desk.call("POST", f"/v1/audit/{blocked['id']}/revert")
    assert [desk.ids(viewer) for viewer in VIEWERS] == before


def test_a_reader_sees_and_changes_nothing_of_it(
    gateways: list[httpx.Client], desk: Desk, create: Create, wait_until: Wait
) -> None:
    reader = create("--name", "page", "--scope", "read")
    wait_until(lambda: gateways[0].get("/v1/movies/1", headers=reader).status_code == 200, 5.0)
    for method, path in (
        ("GET", "/v1/audit"),
        ("GET", "/v1/audit/rules-0-0-0"),
        ("POST", "/v1/audit/rules-0-0-0/revert"),
        ("POST", "/v1/rules/preview"),
        ("PUT", "/v1/movies/1/promotion"),
    ):
        answer = gateways[0].request(method, path, json={}, headers=reader)
        assert (path, answer.status_code) == (path, 403)
        assert "this needs the scope curate" in answer.json()["detail"]
    # Operations and keys are for a key that operates.
    assert desk.audit(action="key.created") == []
    chief = create("--name", "chief", "--scope", "curate,operate", "--reason", "on call")
    wait_until(lambda: gateways[0].get("/v1/audit", headers=chief).status_code == 200, 5.0)
    created = Desk(gateways[0], chief, wait_until).audit(action="key.created")
    assert [(e["subject"], e["reason"]) for e in created[:3]] == [
        ("chief", "on call"), ("page", ""), ("desk", "new curator"),
    ]  # fmt: skip


def test_an_erasure_has_a_receipt_that_names_nobody(
    gateways: list[httpx.Client], create: Create, wait_until: Wait
) -> None:
    key = create("--name", "crm", "--scope", "write")
    crm, viewer = Desk(gateways[0], key, wait_until), "desk:leaver-1"
    path = f"/v1/users/{viewer}"
    rating = {"rating": 4}
    wait_until(
        lambda: gateways[0].put(f"{path}/ratings/1", json=rating, headers=key).status_code == 202,
        5.0,
    )
    answer = crm.call("DELETE", path)
    receipt = answer["receipt"]
    assert receipt["requested_by"] == "crm"
    again = f"/v1/erasures/{receipt['id']}"
    told = crm.call("GET", again, after=answer["token"])
    assert (told["offset"], told["event_id"]) == (receipt["offset"], answer["event_id"])

    def removed() -> bool:
        stores = {s["store"]: s["removed"] for s in crm.call("GET", again)["stores"]}
        services = [done for store, done in stores.items() if store.startswith("redis: ")]
        return len(services) == 5 and all(services)

    wait_until(removed)
    assert viewer not in str(told)
