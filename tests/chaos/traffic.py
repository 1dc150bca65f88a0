"""Load generator of chaos runs: `traffic.py JSON`; SIGTERM lets pending operations finish.

Writers send through the API, one by one and in bulk, and straight on the bus; readers ask for
recommendations with one retry. All of it is noted in a journal for the checker.
"""

import asyncio
import base64
import itertools
import json
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx

from journal import Journal, Outcome
from marquee.bus.api import Outgoing
from marquee.bus.factory import open_bus
from marquee.errors import MarqueeError
from marquee.settings import Settings
from operations import FIRST_USER, USERS, Operation, Writer

SOURCE = "chaos"
TIMES = 4
"""How often an event with an id of the sender's own is sent, at most: it takes effect once."""
RETRY_S = 0.1
WRITE_S, READ_S = 30.0, 10.0
"""Patience with one call, in seconds. On a machine that is busy with other work, these programs and
the system itself may stand for seconds; the checker tells how long reads took."""
READS_A_SECOND = 20.0


class Pace:
    """Lets `per_second` events through, whoever sends them."""

    def __init__(self, per_second: float) -> None:
        self._each, self._next = 1.0 / per_second, 0.0

    async def wait(self, n: int = 1) -> None:
        now = time.monotonic()
        self._next = max(self._next, now - 1.0) + n * self._each
        await asyncio.sleep(max(0.0, self._next - now))


class Traffic:
    """All writers and readers, with what they share."""

    def __init__(self, asked: dict[str, Any], client: httpx.AsyncClient) -> None:
        self.asked, self.client = asked, client
        self.journal = Journal(Path(asked["journal"]))
        self.stop = asyncio.Event()
        self.pace = Pace(asked["rate"])
        self.reading = Pace(READS_A_SECOND)
        self._producer = open_bus(Settings.model_validate(asked["settings"])).producer()
        self._threads = ThreadPoolExecutor(4)
        self._numbers = itertools.count(1)

    async def run(self) -> None:
        """Write and read until told to stop."""
        known, writers = self.asked["films"], self.asked["writers"]
        ruled = [known[i::writers] or known[:1] for i in range(writers)]
        stories = [Writer(str(self.asked["seed"]), i, known, ruled[i]) for i in range(writers)]
        async with asyncio.TaskGroup() as group:
            for story in stories:
                group.create_task(self._write(story))
            for number in range(4):
                group.create_task(self._read(number))
        await asyncio.to_thread(self._producer.close)
        self.journal.close()

    async def _write(self, story: Writer) -> None:
        while not self.stop.is_set():
            way = story.draw.random()
            if way < 0.6:
                await self.pace.wait()
                await self._by_call(story.operation())
            elif way < 0.75:
                n = story.draw.randint(2, 20)
                await self.pace.wait(n)
                await self._in_bulk([story.operation() for _ in range(n)])
            elif way < 0.99:
                await self.pace.wait()
                await self._on_the_bus(story.operation())
            else:
                await self._poison(story)

    # --- by the API, one at a time

    async def _by_call(self, operation: Operation) -> None:
        method, path, body = _call(operation)
        began, outcome, said = time.monotonic(), "unknown", {}
        try:
            answer = await self.client.request(method, path, json=body, timeout=WRITE_S)
            outcome, said = _outcome(answer.status_code), answer.json()
        except (httpx.HTTPError, ValueError):
            pass
        self.journal.write(
            way="call",
            began=began,
            ended=time.monotonic(),
            type=operation.type,
            data=operation.data,
            outcome=outcome,
            id=said.get("event_id"),
            places=_places(said.get("token")),
            holds=outcome == "kept" and answer.status_code == 200,
            why="" if outcome in ("kept", "unknown") else json.dumps(said)[:300],
        )

    # --- with ids of the sender's own

    async def _in_bulk(self, operations: list[Operation]) -> None:
        events = [self._event(operation) for operation in operations]
        began, outcome, why = time.monotonic(), "unknown", ""
        for _ in range(TIMES):
            try:
                answer = await self.client.post(
                    "/v1/events", json={"events": events}, timeout=WRITE_S
                )
                outcome = _outcome(answer.status_code)
                if outcome == "kept" and answer.json()["rejected"]:
                    outcome = "wrong"
                why = "" if outcome == "kept" else f"{answer.status_code}: {answer.text[:300]}"
            except (httpx.HTTPError, ValueError):
                outcome = "unknown"
            if outcome != "unknown" or self.stop.is_set():
                break
            await asyncio.sleep(RETRY_S)
        for event in events:
            self._noted("bulk", event, began, outcome, why=why)

    async def _on_the_bus(self, operation: Operation) -> None:
        event, began = self._event(operation), time.monotonic()
        topic = "ratings" if "user_id" in operation.data else "movies"
        key = str(operation.data["user_id" if topic == "ratings" else "movie_id"]).encode()
        message = Outgoing(topic, key, json.dumps(event).encode())
        outcome, places = "unknown", {}
        for _ in range(TIMES):
            places = await self._published(message)
            if places:
                outcome = "kept"
            if places or self.stop.is_set():
                break
            await asyncio.sleep(RETRY_S)
        self._noted("bus", event, began, outcome, places)

    async def _poison(self, story: Writer) -> None:
        await self.pace.wait()
        await self._published(Outgoing("ratings", b"1", story.poison()))

    async def _published(self, message: Outgoing) -> dict[str, int]:
        loop = asyncio.get_running_loop()
        try:
            [place] = await loop.run_in_executor(self._threads, self._producer.publish, [message])
        except MarqueeError:
            return {}
        return {str(place.partition): place.offset}

    def _event(self, operation: Operation) -> dict[str, Any]:
        number = next(self._numbers)
        return {
            "specversion": "1.0",
            "id": f"{self.asked['seed']}-{number}",
            "source": SOURCE,
            "type": operation.type,
            "time": "2026-01-01T00:00:00Z",
            "data": operation.data,
        }

    def _noted(
        self,
        way: str,
        event: dict[str, Any],
        began: float,
        outcome: str,
        places: dict[str, int] | None = None,
        why: str = "",
    ) -> None:
        self.journal.write(
            way=way,
            began=began,
            ended=time.monotonic(),
            type=event["type"],
            data=event["data"],
            outcome=outcome,
            id=event["id"],
            places=places or {},
            holds=False,
            why=why,
        )

    # --- readers

    async def _read(self, number: int) -> None:
        users = self.asked["writers"] * USERS
        for turn in itertools.count(number * 31):
            await self.reading.wait()
            if self.stop.is_set():
                return
            user = FIRST_USER + turn * 17 % (users + 20)  # some are not known yet
            path = f"/v1/users/{user}/recommendations"
            began, tries = time.monotonic(), 1
            fault, shown = await self._list(path)
            if fault:
                await asyncio.sleep(RETRY_S)
                began, tries = time.monotonic(), 2
                fault, shown = await self._list(path)
            self.journal.read(
                began=began, ended=time.monotonic(), tries=tries, fault=fault, films=shown
            )

    async def _list(self, path: str) -> tuple[str, list[int]]:
        try:
            answer = await self.client.get(path, params={"k": 10}, timeout=READ_S)
            if answer.status_code != 200:
                return f"{answer.status_code}: {answer.text[:200]}", []
            movies = [item["movie_id"] for item in answer.json()["items"]]
        except (httpx.HTTPError, ValueError) as error:
            return repr(error), []
        return ("" if len(movies) == 10 else f"{len(movies)} films"), movies


def _call(operation: Operation) -> tuple[str, str, Any]:
    """Return the call that says the same as an event: method, path, body."""
    data = dict(operation.data)
    movie, user = data.pop("movie_id", None), data.pop("user_id", None)
    data |= dict.fromkeys(data.pop("cleared", ()))
    ratings = f"/v1/users/{user}/ratings/{movie}"
    dismissed = f"/v1/users/{user}/dismissed/{movie}"
    watchlist = f"/v1/users/{user}/watchlist/{movie}"
    path, promotion, block = (f"/v1/movies/{movie}{rest}" for rest in ("", "/promotion", "/block"))
    actor = "?actor=chaos"
    return {
        "rating.added": ("PUT", ratings, data),
        "rating.removed": ("DELETE", ratings, None),
        "movie.viewed": ("POST", f"/v1/users/{user}/views", {"movie_id": movie}),
        "movie.dismissed": ("PUT", dismissed, None),
        "movie.restored": ("DELETE", dismissed, None),
        "watchlist.added": ("PUT", watchlist, None),
        "watchlist.removed": ("DELETE", watchlist, None),
        "user.erased": ("DELETE", f"/v1/users/{user}", None),
        "movie.added": ("POST", "/v1/movies", data | {"movie_id": movie}),
        "movie.updated": ("PATCH", path, data),
        "movie.removed": ("DELETE", path, None),
        "movie.promoted": ("PUT", promotion, data),
        "movie.unpromoted": ("DELETE", promotion + actor, None),
        "movie.blocked": ("PUT", block, data),
        "movie.unblocked": ("DELETE", block + actor, None),
    }[operation.type]


def _outcome(status: int) -> Outcome:
    if status < 300:
        return "kept"
    if status == 503:
        return "unknown"
    return "refused" if status < 500 else "wrong"


def _places(token: str | None) -> dict[str, int]:
    """Return the place of an event in the log, from the token of its write."""
    if not token:
        return {}
    text = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    return {name: end - 1 for name, end in json.loads(text).items()}


async def main(asked: dict[str, Any]) -> None:
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=64)
    async with httpx.AsyncClient(
        base_url=asked["url"], limits=limits, trust_env=False, follow_redirects=False
    ) as client:
        traffic = Traffic(asked, client)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, traffic.stop.set)
        await traffic.run()


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
