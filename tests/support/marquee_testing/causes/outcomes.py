"""Outcomes of calls in a state: what clients see, and what is wrong with it."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import httpx

from marquee_testing.causes.calls import Call
from marquee_testing.waiting import PATIENCE

LIMIT_S = 2.0
"""Within this time each call has its answer, whatever the state."""
AT_ONCE = 24
"""Calls at once where each waits until it gives up."""
SLACK_S = 1.0
"""What all calls at once cost a small machine, beside."""
WITH_KEY = ", with a key"
_PROBLEM = "application/problem+json"


@dataclass
class Outcomes:
    """What became of the calls of one state: cells of the table by call, and faults in words."""

    cells: dict[str, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


async def send_all(
    client: httpx.AsyncClient, calls: Sequence[Call], cause: str, at_once: int
) -> Outcomes:
    """Send every call, those that take an Idempotency-Key with one too.

    The cell of a call with a key stands by itself where it differs.

    Args:
        client: Of the gateway.
        calls: The calls.
        cause: Name of the state, for keys.
        at_once: Calls under way at most, so that none waits for others on a small machine.
    """
    outcomes, turns = Outcomes(), asyncio.Semaphore(at_once)
    keyed = [call for call in calls if call.takes_key]

    async def send(call: Call, key: str) -> None:
        async with turns:
            await _send(client, call, key, outcomes)

    tasks = [send(call, "") for call in calls]
    await asyncio.gather(*tasks, *(send(call, f"{cause} {call.name}") for call in keyed))
    for call in keyed:
        if outcomes.cells[call.name + WITH_KEY] == outcomes.cells[call.name]:
            del outcomes.cells[call.name + WITH_KEY]
    outcomes.cells = dict(sorted(outcomes.cells.items()))
    return outcomes


async def _send(client: httpx.AsyncClient, call: Call, key: str, outcomes: Outcomes) -> None:
    headers = {"Idempotency-Key": key} if key else {}
    name = call.name + (WITH_KEY if key else "")
    started = time.monotonic()
    path = call.path_with_key if key else call.path
    response = await client.request(call.method, path, json=call.body, headers=headers)
    seconds = time.monotonic() - started
    outcomes.cells[name] = cell_of(call, response)
    outcomes.faults += [f"{name}: {fault}" for fault in _faults(response, seconds)]


def cell_of(call: Call, response: httpx.Response) -> str:
    """Return what a table tells of a response: status, code of a problem, whether degraded.

    A write is accepted: whether it is stored already (200) or will be (202) depends on the moment.
    """
    if not call.is_read and response.is_success:
        return "accepted"
    if response.headers.get("content-type") == _PROBLEM:
        return f"{response.status_code} {response.json()['code']}"
    is_json = response.headers.get("content-type") == "application/json"
    document = response.json() if is_json else None
    degraded = isinstance(document, dict) and document.get("degraded") is True
    return f"{response.status_code}{' degraded' if degraded else ''}"


def _faults(response: httpx.Response, seconds: float) -> list[str]:
    """Return what no state excuses."""
    faults, status = [], response.status_code
    if seconds > (LIMIT_S + SLACK_S) * PATIENCE:
        faults.append(f"took {seconds:.1f} s")
    if status >= 400:
        text = response.text[:300]
        if status not in (503, 504):
            faults.append(f"{status} for a valid call: {text}")
        if response.headers.get("content-type") != _PROBLEM:
            faults.append(f"{status} without a problem document: {text}")
        if status == 503 and "retry-after" not in response.headers:
            faults.append("503 without Retry-After")
    return faults
