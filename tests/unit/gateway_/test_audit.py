"""The audit: each change leaves an entry, is found again, and is taken back."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.access.caller import ANYONE, Caller
from gateway.api.audit.reverts import film_event, is_revertible, rule_event
from gateway.state.audit_log import AuditFilter, StoredEntry
from gateway.upstream.models import Reply
from marquee.access.scopes import Scope
from marquee.audit.entries import RULES, AuditId
from marquee.events import (
    Event,
    MovieAdded,
    MovieBlocked,
    MovieEvent,
    MoviePromoted,
    MovieRemoved,
    MovieUnblocked,
    MovieUnpromoted,
    MovieUpdated,
    UserErased,
    decode,
)
from marquee_testing.fakes.applied_events import KEYS, AppliedApi, AppliedEvents
from marquee_testing.fakes.audit import FakeAudit
from trainer.facts.catalogue import FoldedCatalogue

START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
async def api() -> AsyncIterator[AppliedApi]:
    made = AppliedApi()
    async with made.client:
        yield made


# --- reverts


def event_of(kind: type[Event], movie_id: int, **data: Any) -> MovieEvent:
    event = kind.model_validate({"data": {"movie_id": movie_id, **data}})
    assert isinstance(event, MovieEvent)
    return event


films = st.integers(1, 3)
texts = st.text("abc", min_size=1, max_size=3)
changes = st.one_of(
    st.builds(
        lambda i, weight, slots, why: event_of(
            MoviePromoted, i, weight=weight, slots=slots, reason=why
        ),
        films,
        st.floats(0.5, 9),
        st.lists(st.integers(1, 9), max_size=2),
        texts,
    ),
    st.builds(lambda i: event_of(MovieUnpromoted, i), films),
    st.builds(lambda i, why: event_of(MovieBlocked, i, reason=why, actor="ann"), films, texts),
    st.builds(lambda i: event_of(MovieUnblocked, i), films),
    st.builds(
        lambda i, title, year, tags: event_of(MovieAdded, i, title=title, year=year, tags=tags),
        films,
        texts,
        st.none() | st.integers(1900, 2000),
        st.dictionaries(texts, st.floats(0, 1), max_size=2),
    ),
    st.builds(
        lambda i, title, runtime: event_of(MovieUpdated, i, title=title, runtime=runtime),
        films,
        texts,
        st.none() | st.integers(1, 300),
    ),
    st.builds(lambda i: event_of(MovieUpdated, i, cleared=["runtime", "year"]), films),
    st.builds(lambda i: event_of(MovieRemoved, i), films),
)


def state_of(log: AppliedEvents) -> dict[str, Any]:
    """Return films and rules as somebody decided them: without times and ids of events."""
    state: dict[str, Any] = {}
    for keys in KEYS.all("movies"):
        for movie_id, row in log.store.scan(keys.movies).items():
            state[f"film {movie_id.decode()}"] = orjson.loads(row)
        for movie_id, row in log.store.scan(keys.rules).items():
            for kind, rule in orjson.loads(row).items():
                own = {name: rule[name] for name in rule if name not in ("at", "event_id")}
                state[f"{kind} {movie_id.decode()}"] = own
    return state


async def entry_of(log: AppliedEvents, event: Event) -> StoredEntry | None:
    """Return the entry that an event left, if any."""
    entries = await FakeAudit(log.store.values).page(AuditFilter(), 10_000)
    found = [entry for entry in entries if entry.fields["event_id"] == event.id]
    assert len(found) <= 1
    return found[0] if found else None


def revert_of(entry: StoredEntry) -> MovieEvent:
    fields = entry.fields
    before, after, movie_id = fields["before"], fields["after"], fields["movie_id"]
    if entry.entry_id.kind == RULES:
        return rule_event(fields["action"], before, after, movie_id)
    return film_event(before, after, movie_id)


@settings(max_examples=60)
@given(st.lists(changes, max_size=6), changes)
async def test_a_revert_brings_back_the_state_before(earlier: list[Event], change: Event) -> None:
    log = AppliedEvents()
    for event in earlier:
        log.apply(event)
    before = state_of(log)
    log.apply(change)
    entry = await entry_of(log, change)
    assert entry is not None
    assert is_revertible(entry) is (state_of(log) != before)
    if not is_revertible(entry):
        return
    # As it goes over the wire.
    reverting = decode(revert_of(entry).encode())
    log.apply(reverting)
    assert state_of(log) == before
    assert await entry_of(log, reverting) is not None


@settings(max_examples=60)
@given(st.lists(changes, max_size=5), changes, changes)
async def test_a_late_revert_of_a_rule_changes_nothing_and_leaves_no_entry(
    earlier: list[Event], change: Event, later: Event
) -> None:
    log, folded = AppliedEvents(), FoldedCatalogue()
    for event in [*earlier, change]:
        log.apply(event)
    entry = await entry_of(log, change)
    assert entry is not None
    if entry.entry_id.kind != RULES:
        return
    kind = "promotion" if "promoted" in entry.fields["action"] else "block"
    audit = FakeAudit(log.store.values)
    reverting = revert_of(entry)
    log.apply(later)
    changed = await audit.rule(entry.fields["movie_id"], kind) != entry.fields["after"]
    between = state_of(log)
    log.apply(reverting)
    if changed:
        assert state_of(log) == between
    assert (await entry_of(log, reverting) is None) is changed
    # The history folds the same events to the same rules.
    folded.fold(event.encode().decode() for event in log.events)
    made_by = {
        (movie_id, kind): decode(text.encode()).id
        for (movie_id, kind), text in folded.rules.items()
    }
    stored = {
        (int(movie_id), kind): rule["event_id"]
        for keys in KEYS.all("movies")
        for movie_id, row in log.store.scan(keys.rules).items()
        for kind, rule in orjson.loads(row).items()
    }
    assert made_by == stored


async def test_a_curator_promotes_with_a_reason_and_takes_it_back(api: AppliedApi) -> None:
    body = {"weight": 5, "actor": "ann"}
    await api.call("PUT", "/v1/movies/3/promotion?reason=premiere", body)
    [entry] = await api.entries("?movie_id=3")
    assert (entry["actor"], entry["authtype"], entry["decided_by"]) == ("shop", "api_key", "ann")
    assert (entry["action"], entry["reason"]) == ("movie.promoted", "premiere")
    assert (entry["before"], entry["after"]["weight"], entry["title"]) == (None, 5.0, "Film 3")
    assert entry["revertible"]
    path = f"/v1/audit/{entry['id']}"
    assert await api.call("GET", path) == entry
    await api.call("POST", f"{path}/revert?reason=too%20early")
    assert (await api.call("GET", "/v1/promotions"))["items"] == []
    newest, _ = await api.entries("?movie_id=3")
    assert (newest["action"], newest["reverts"]) == ("movie.unpromoted", entry["id"])
    assert (newest["before"], newest["after"]) == (entry["after"], None)
    assert newest["reason"] == "too early"
    # The state has changed since, by the revert itself.
    answer = await api.call("POST", f"{path}/revert", status=409)
    assert "the promotion has changed since" in answer["detail"]
    assert len(await api.entries()) == 2
    # What was taken back comes back.
    await api.call("POST", f"/v1/audit/{newest['id']}/revert")
    [promotion] = (await api.call("GET", "/v1/promotions"))["items"]
    assert (promotion["weight"], promotion["actor"]) == (5.0, "ann")


async def test_a_revert_that_another_change_overtakes_is_a_conflict(api: AppliedApi) -> None:
    await api.call("PUT", "/v1/movies/3/block", {"reason": "rights"})
    [entry] = await api.entries()
    other = event_of(MovieBlocked, 3, reason="court")
    api.log.before_next = [other]
    answer = await api.call("POST", f"/v1/audit/{entry['id']}/revert", status=409)
    assert "the block has changed since" in answer["detail"]
    [block] = (await api.call("GET", "/v1/blocks"))["items"]
    assert block["reason"] == "court"
    assert [e["event_id"] for e in await api.entries()] == [other.id, entry["event_id"]]


async def test_fields_of_a_film_come_back_unless_they_changed_since(api: AppliedApi) -> None:
    await api.log.publish([event_of(MovieAdded, 3, title="Film 3", year=1993, runtime=90)])
    await api.call("PATCH", "/v1/movies/3?reason=restored%20version", {"runtime": 95, "year": None})
    entry, added = await api.entries("?movie_id=3")
    assert (entry["before"], entry["after"]) == (
        {"runtime": 90, "year": 1993},
        {"runtime": 95, "year": None},
    )
    # Another field of the film does not matter.
    await api.call("PATCH", "/v1/movies/3", {"title": "Film three"})
    await api.call("POST", f"/v1/audit/{entry['id']}/revert")
    film = await api.audit.film(3)
    assert film is not None
    assert (film["title"], film["runtime"], film["year"]) == ("Film three", 90, 1993)
    answer = await api.call("POST", f"/v1/audit/{added['id']}/revert", status=409)
    assert "the film has changed since" in answer["detail"]


# --- the list


async def test_entries_are_found_by_film_actor_action_and_time(api: AppliedApi) -> None:
    await api.call("PUT", "/v1/movies/1/block", {"reason": "a"})
    api.caller = Caller("desk", frozenset({Scope.CURATE}))
    await api.call("PUT", "/v1/movies/2/block", {"reason": "b", "actor": "ann"})
    await api.call("DELETE", "/v1/movies/2/block?reason=c&actor=bob")
    every = await api.entries()
    assert [entry["reason"] for entry in every] == ["c", "b", "a"]
    for query, reasons in (
        ("?movie_id=2", ["c", "b"]),
        ("?actor=desk", ["c", "b"]),
        ("?actor=bob", ["c"]),
        ("?actor=shop", ["a"]),
        ("?action=movie.blocked", ["b", "a"]),
        ("?movie_id=2&action=movie.blocked&actor=ann", ["b"]),
        ("?movie_id=9", []),
    ):
        assert [e["reason"] for e in await api.entries(query)] == reasons, query
    at = every[1]["at"].replace("+", "%2B")
    later = datetime.now(UTC) + timedelta(hours=1)
    assert len(await api.entries(f"?until={at}")) <= 1
    assert len(await api.entries(f"?from={at}")) >= 2
    assert await api.entries(f"?from={later.isoformat().replace('+', '%2B')}") == []


times = st.lists(st.integers(0, 5), min_size=0, max_size=25)


@settings(max_examples=40)
@given(times, st.integers(1, 7))
async def test_pages_together_are_the_whole_list_newest_first(
    milliseconds: list[int], limit: int
) -> None:
    log = AppliedEvents()
    for number, ms in enumerate(milliseconds):
        at = START + timedelta(milliseconds=ms)
        log.apply(event_of(MovieBlocked, number % 5 + 1).model_copy(update={"recordedtime": at}))
    audit = FakeAudit(log.store.values)
    pages: list[StoredEntry] = []
    last: AuditId | None = None
    while page := await audit.page(AuditFilter(), limit, last):
        pages += page
        last = page[-1].entry_id
    whole = await audit.page(AuditFilter(), 1000)
    assert pages == whole
    assert len(whole) == len(milliseconds)
    assert [e.entry_id.ms for e in whole] == sorted((e.entry_id.ms for e in whole), reverse=True)


async def test_pages_of_the_api_and_what_is_no_cursor(api: AppliedApi) -> None:
    for number in range(1, 6):  # of one film: changes of others may share a millisecond
        await api.call("PUT", f"/v1/movies/1/block?reason={number}", {})
    first = await api.call("GET", "/v1/audit?limit=3")
    rest = await api.call("GET", f"/v1/audit?limit=3&cursor={first['next_cursor']}")
    found = [item["reason"] for item in first["items"] + rest["items"]]
    assert (found, rest["next_cursor"]) == (["5", "4", "3", "2", "1"], None)
    for cursor in ("x", "YWZ0ZXIgNw"):
        await api.call("GET", f"/v1/audit?cursor={cursor}", status=422)
    for path in ("rules-0-99-1", "rules-9999-0-0", "x", "erasures-0-0-0", "rules-٣-0-0"):
        await api.call("GET", f"/v1/audit/{path}", status=404)


# --- who, why, and what leaves none


async def test_the_gateway_says_who_and_when_whatever_the_sender_says(api: AppliedApi) -> None:
    event = {
        "type": "movie.blocked",
        "data": {"movie_id": 2, "actor": "ann"},
        "time": "1999-01-01T00:00:00Z",
        "authid": "somebody else",
        "authtype": "system",
        "recordedtime": "1999-01-01T00:00:00Z",
        "reverts": "rules-0-0-0",
        "reason": "rights",
    }
    await api.call("POST", "/v1/events", {"events": [event]})
    [entry] = await api.entries()
    assert (entry["actor"], entry["authtype"], entry["reason"]) == ("shop", "api_key", "rights")
    assert entry["reverts"] is None
    assert datetime.now(UTC) - datetime.fromisoformat(entry["at"]) < timedelta(minutes=1)


async def test_of_the_bus_the_event_says_who(api: AppliedApi) -> None:
    named = event_of(MovieBlocked, 1).model_copy(update={"authid": "importer"})
    for event in (named, event_of(MovieBlocked, 2, actor="ann"), event_of(MovieUnblocked, 2)):
        api.log.apply(event)
    entries = await api.entries()
    assert {e["actor"] for e in entries} == {"marquee", "ann", "importer"}
    assert {e["authtype"] for e in entries} == {"unknown"}


async def test_without_a_key_the_actor_is_open_access(api: AppliedApi) -> None:
    api.caller = ANYONE
    await api.call("PUT", "/v1/movies/1/block", {})
    [entry] = await api.entries()
    assert (entry["actor"], entry["authtype"]) == ("open access", "unauthenticated")


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PUT", "/v1/movies/999/block", {}, 404),
        ("PUT", "/v1/movies/1/block", {"until": "2001-01-01T00:00:00Z"}, 422),
        ("PUT", "/v1/movies/1/block?reason=", {}, 422),
        ("PUT", f"/v1/movies/1/block?reason={'x' * 501}", {}, 422),
        ("PUT", "/v1/movies/1/block?reason=a%00b", {}, 422),
        ("PUT", "/v1/movies/1/promotion", {"weight": -1}, 422),
        ("GET", "/v1/movies?reason=x", None, 422),
        ("POST", "/v1/trainings", {"models": ["content"]}, 404),
        ("POST", "/v1/models/content/rollback", {}, 404),
    ],
)
async def test_a_refused_call_leaves_no_entry(
    api: AppliedApi, method: str, path: str, body: Any, status: int
) -> None:
    api.models.replies["trainer"] = Reply(404, {"code": "not_found", "detail": "no"})
    await api.call(method, path, body, status)
    assert await api.entries() == []


async def test_every_call_of_curators_and_operators_takes_a_reason(api: AppliedApi) -> None:
    document = await api.call("GET", "/openapi.json")
    missing = []
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            scopes = operation.get("security", [{}])[0].get("bearer", [])
            names = [p["name"] for p in operation.get("parameters", [])]
            changes = method != "get" and operation["operationId"] != "preview_rule"
            expected = changes and scopes in (["curate"], ["operate"])
            if (names.count("reason") == 1) is not expected:
                missing.append(f"{method} {path}")
    assert missing == []


async def test_entries_hold_nothing_of_an_erased_viewer(api: AppliedApi) -> None:
    viewer = "viewer:in-clear-77"
    answer = await api.call("DELETE", f"/v1/users/{viewer}")
    receipt = answer["receipt"]
    assert (receipt["requested_by"], receipt["event_id"]) == ("shop", answer["event_id"])
    assert receipt["partition"].startswith("ratings:")
    assert {store["removed"] for store in receipt["stores"]} == {False}
    again = await api.call("GET", f"/v1/erasures/{receipt['id']}")
    assert {store["removed"] for store in again["stores"]} == {None}
    reply = {"items": [{"store": "log", "left": "until trimmed"}, {"store": "x", "left": ""}]}
    api.models.replies["trainer"] = Reply(200, reply)
    again = await api.call("GET", f"/v1/erasures/{receipt['id']}")
    assert again == receipt | {
        "requested_at": again["requested_at"],
        "stores": [
            {"store": "log", "removed": False, "detail": "until trimmed"},
            {"store": "x", "removed": True, "detail": "removed"},
        ],
    }
    assert viewer not in str((again, api.models.calls))
    held = {key: v for key, v in api.log.store.values.items() if key.endswith("erasures")}
    assert len(held) == 1
    assert viewer not in str(held)
    assert await api.entries() == []
    await api.call("GET", "/v1/erasures/rules-0-0-0", status=404)
    await api.call("GET", "/v1/erasures/erasures-0-7-0", status=404)


def test_an_erasure_on_the_bus_names_its_source() -> None:
    log = AppliedEvents()
    place = log.apply(UserErased.model_validate({"data": {"user_id": 7}, "source": "crm"}))
    [member] = log.store.values[KEYS.of(place.partition).erasures]
    assert orjson.loads(member[20:])["actor"] == "crm"


# --- operations without an event


async def test_an_operation_leaves_one_entry_with_how_it_ended(api: AppliedApi) -> None:
    api.models.replies["trainer"] = Reply(202, {"training_id": "t1"})
    await api.call("POST", "/v1/trainings?reason=new%20films", {"models": ["content"]})
    [entry] = await api.entries("?action=training.started")
    assert (entry["subject"], entry["reason"], entry["outcome"]) == ("content", "new films", "done")
    assert (entry["before"], entry["after"]) == (None, {"training_id": "t1"})
    assert not entry["revertible"]
    await api.call("POST", f"/v1/audit/{entry['id']}/revert", status=409)
    api.models.replies["trainer"] = Reply(200, {"serving": "v2", "version": "v1"})
    await api.call("POST", "/v1/models/content/rollback", {"version": "v1"})
    entry, _ = await api.entries()
    assert (entry["action"], entry["subject"]) == ("model.rolled_back", "content")
    assert (entry["before"], entry["after"]) == ({"version": "v2"}, {"version": "v1"})
    api.caller = Caller("desk", frozenset({Scope.CURATE}))
    assert await api.entries() == []
    await api.call("GET", f"/v1/audit/{entry['id']}", status=404)


async def test_an_operation_without_an_answer_stays_unknown(api: AppliedApi) -> None:
    await api.call("POST", "/v1/trainings", status=503)
    api.models.replies["trainer"] = Reply(500, {"detail": "broken"})
    await api.call("POST", "/v1/trainings", status=503)
    assert [entry["outcome"] for entry in await api.entries()] == ["unknown", "unknown"]


async def test_without_the_audit_no_operation_begins(api: AppliedApi) -> None:
    api.audit.down = True
    await api.call("POST", "/v1/trainings", status=503)
    assert api.models.calls == []


async def test_the_number_of_segments_is_taken_back(api: AppliedApi) -> None:
    api.models.replies["trainer"] = Reply(200, {"k": 4, "kind": "users"})
    await api.call("PUT", "/v1/segments/users?reason=fewer", {"k": 6})
    [entry] = await api.entries()
    assert (entry["before"], entry["after"]) == ({"k": 4}, {"k": 6})
    path = f"/v1/audit/{entry['id']}/revert"
    assert "has changed since" in (await api.call("POST", path, status=409))["detail"]
    api.models.replies["trainer"] = Reply(200, {"k": 6, "kind": "users"})
    await api.call("POST", path)
    assert api.models.calls[-1][1].body == {"k": 4}
    assert (await api.entries())[0]["reverts"] == entry["id"]


# --- previews


async def test_a_preview_shows_what_enters_leaves_and_moves_without_effect(
    api: AppliedApi,
) -> None:
    body = {"movie_id": 1, "promotion": {"slots": [2]}, "users": [7, "user:x", 7], "k": 3}
    answer = await api.call("POST", "/v1/rules/preview", body)
    assert (answer["changed"], [item["user_id"] for item in answer["items"]]) == (2, [7, "user:x"])
    before = [(i["movie_id"], i["change"]) for i in answer["items"][0]["before"]]
    after = [(i["movie_id"], i["change"], i["promoted"]) for i in answer["items"][0]["after"]]
    assert before == [(40, None), (39, "moves"), (38, "leaves")]
    assert after == [(40, None, False), (1, "enters", True), (39, "moves", False)]
    block = {"movie_id": 39, "block": {"reason": "rights"}, "users": [7], "k": 2}
    answer = await api.call("POST", "/v1/rules/preview", block)
    shown = [(i["movie_id"], i["change"]) for i in answer["items"][0]["after"]]
    assert shown == [(40, None), (38, "enters")]
    assert (api.log.events, await api.entries()) == ([], [])


preview_rules = st.one_of(
    st.builds(
        lambda weight, slots: {"promotion": {"weight": weight, "slots": slots}},
        st.floats(0.5, 9),
        st.lists(st.integers(1, 6), max_size=3),
    ),
    st.just({"block": {}}),
)


@settings(max_examples=25)
@given(st.lists(changes, max_size=4), st.integers(1, 40), preview_rules, st.integers(1, 6))
async def test_a_preview_is_the_list_after_the_rule_and_changes_nothing(
    earlier: list[Event], movie_id: int, rule: dict[str, Any], k: int
) -> None:
    api = AppliedApi()
    async with api.client:
        for event in earlier:
            api.log.apply(event)
        stored = orjson.dumps(str(api.log.store.values))
        body = {"movie_id": movie_id, "users": [7], "k": k, **rule}
        [item] = (await api.call("POST", "/v1/rules/preview", body))["items"]
        assert orjson.dumps(str(api.log.store.values)) == stored
        assert len(api.log.events) == len(earlier)
        path = f"/v1/users/7/recommendations?k={k}"

        async def listed() -> list[int]:
            return [i["movie_id"] for i in (await api.call("GET", path))["items"]]

        assert [i["movie_id"] for i in item["before"]] == await listed()
        kind, made = next(iter(rule.items()))
        await api.call("PUT", f"/v1/movies/{movie_id}/{kind}", made)
        assert [i["movie_id"] for i in item["after"]] == await listed()


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"promotion": {}, "block": {}},
        {"promotion": {}, "users": []},
        {"promotion": {}, "users": list(range(21))},
        {"promotion": {"weight": 0}},
        {"block": {"until": "2001-01-01T00:00:00Z"}},
        {"promotion": {}, "k": 101},
    ],
)
async def test_another_preview_is_refused(api: AppliedApi, more: dict[str, Any]) -> None:
    await api.call("POST", "/v1/rules/preview", {"movie_id": 1, "users": [1]} | more, 422)
    await api.call("POST", "/v1/rules/preview", {"movie_id": 99, "users": [1], "block": {}}, 404)
