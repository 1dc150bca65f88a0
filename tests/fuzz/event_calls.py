"""Events over HTTP, in each form that the gateway takes, and what it says of each."""

import json
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx

STRUCTURED, BATCH, JSON = (
    "application/cloudevents+json",
    "application/cloudevents-batch+json",
    "application/json",
)
OTHER_TYPES = (
    "text/plain",
    "application/xml",
    "application/json; charset=utf-16",
    "",
    "*/*",
    "application/avro",
)
TAKEN, REFUSED, NONE = "taken", "refused", "no answer"
ATTRIBUTES = ("id", "source", "type", "specversion", "time", "datacontenttype")
PROBLEM = "application/problem+json"
MAX_BODY = 1_000_000
GROUP = 20


@dataclass(frozen=True)
class Verdict:
    """What was said of an event."""

    word: str
    form: str
    why: str = ""

    @property
    def is_only_http(self) -> bool:
        """Whether the refusal is of HTTP alone: only the trainer publishes models."""
        return "only the trainer publishes models" in self.why


@dataclass
class EventCalls:
    """Sends events in forms that are drawn, and checks each answer."""

    url: str
    key: str
    draw: random.Random
    statuses: Counter[int] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._client = httpx.Client(
            base_url=self.url, headers={"Authorization": f"Bearer {self.key}"}, timeout=60
        )

    def verdicts(self, values: Sequence[bytes]) -> list[Verdict]:
        """Send each event once; return what was said of each, in order."""
        found: dict[int, Verdict] = {}
        groups: dict[str, list[int]] = {"list": [], "batch": []}
        for index, value in enumerate(values):
            forms = ["structured", "structured"]
            forms += ["list", "batch"] if _fits_into_others(value) else []
            forms += ["binary"] if binary_of(value) is not None else []
            form = self.draw.choice(forms)
            if form in groups:
                groups[form].append(index)
            elif form == "binary":
                found[index] = self._binary(value)
            else:
                found[index] = self._structured(value)
            if self.draw.random() < 0.02:
                self._of_another_type(value)
        for form, indices in groups.items():
            for at in range(0, len(indices), GROUP):
                found |= self._group(form, indices[at : at + GROUP], values)
        return [found[index] for index in range(len(values))]

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _structured(self, value: bytes) -> Verdict:
        return self._one("structured", value, {"Content-Type": STRUCTURED})

    def _binary(self, value: bytes) -> Verdict:
        parts = binary_of(value)
        assert parts is not None
        headers, body = parts
        return self._one("binary", body, {"Content-Type": JSON, **headers})

    def _one(self, form: str, body: bytes, headers: Mapping[str, str]) -> Verdict:
        answer = self._post(body, headers)
        if answer is None:
            return Verdict(NONE, form)
        if answer.status_code == 202:
            return Verdict(TAKEN, form)
        return Verdict(REFUSED, form, str(answer.json().get("detail")))

    def _group(
        self, form: str, indices: Sequence[int], values: Sequence[bytes]
    ) -> dict[int, Verdict]:
        """Send events in one call; each alone where the call as a whole cannot be read."""
        wrap, kind = _WRAPPERS[form]
        answer = self._post(wrap([values[i] for i in indices]), {"Content-Type": kind})
        items = answer.json().get("items") if answer is not None else None
        if items is None:
            return {i: self._structured(values[i]) for i in indices}
        if [item["index"] for item in items] != list(range(len(indices))):
            self.faults.append(f"the items of a {form} do not tell of each event: {items}")
        return {
            i: Verdict(REFUSED, form, item["detail"])
            if item["status"] == "rejected"
            else Verdict(TAKEN, form)
            for i, item in zip(indices, items, strict=False)
        }

    def _of_another_type(self, value: bytes) -> None:
        """Send an event as what it is not; the gateway has to refuse it by name."""
        kind = self.draw.choice(OTHER_TYPES)
        answer = self._post(value, {"Content-Type": kind} if kind else {})
        if answer is not None and answer.status_code == 202:
            self.faults.append(f"an event is taken as {kind!r}: {value[:200]!r}")

    def _post(self, body: bytes, headers: Mapping[str, str]) -> httpx.Response | None:
        try:
            answer = self._client.post("/v1/events", content=body, headers=dict(headers))
        except httpx.TransportError as error:
            self.statuses[0] += 1
            self.faults.append(f"{type(error).__name__} {error}: {headers} {body[:300]!r}")
            return None
        self.statuses[answer.status_code] += 1
        if (fault := _fault_of(answer)) is not None:
            self.faults.append(f"{answer.status_code} {fault}: {headers} {body[:300]!r}"
                               f" → {answer.text[:300]}")  # fmt: skip
        return answer


def _fault_of(answer: httpx.Response) -> str | None:
    """Return what is wrong with an answer, whatever was sent."""
    if answer.status_code == 202:
        return None
    if answer.status_code >= 500:
        return "is a server error"
    if answer.headers.get("content-type") != PROBLEM:
        return "is no problem document"
    document = answer.json()
    if not all(document.get(name) for name in ("type", "title", "status", "detail", "code")):
        return "lacks a member"
    if answer.status_code == 422 and not _names_fields(document):
        return "names no field"
    return None


def _names_fields(document: Mapping[str, Any]) -> bool:
    if "items" in document:
        return all(item["errors"] for item in document["items"])
    return bool(document.get("errors")) and all(error["field"] for error in document["errors"])


def _fits_into_others(value: bytes) -> bool:
    """Return whether a message is an object that may stand within another document."""
    try:
        return isinstance(json.loads(value.decode()), dict) and len(value) < MAX_BODY // (2 * GROUP)
    except (ValueError, RecursionError):
        return False


def binary_of(value: bytes) -> tuple[dict[str, str], bytes] | None:
    """Return headers and body of the binary form; None where an event has no such form.

    An attribute in a header is a text, so the event must have none of another type; and its data
    must be found again as it stands in the message.
    """
    try:
        event = json.loads(value.decode(), object_pairs_hook=_once)
        if not isinstance(event, dict) or not event.keys() <= {*ATTRIBUTES, "data"}:
            return None
        attributes = {name: event[name] for name in ATTRIBUTES if name in event}
        if "data" not in event or not attributes:
            return None
        if not all(isinstance(text, str) for text in attributes.values()):
            return None
        # Attributes are strings of CloudEvents: without control characters, and not empty.
        if not all(text and text.isprintable() for text in attributes.values()):
            return None
        headers = {
            f"ce-{name}": quote(text, safe="!#$&'()*+,/:;=?@[]")
            for name, text in attributes.items()
        }
        return headers, json.dumps(event["data"]).encode()
    except (ValueError, RecursionError, UnicodeEncodeError):
        return None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        raise ValueError("a name comes twice")
    return dict(pairs)


def _listed(values: Sequence[bytes]) -> bytes:
    return b'{"events": ' + _batch(values) + b"}"


def _batch(values: Sequence[bytes]) -> bytes:
    return b"[" + b",".join(values) + b"]"


_WRAPPERS: Mapping[str, tuple[Callable[[Sequence[bytes]], bytes], str]] = {
    "list": (_listed, JSON),
    "batch": (_batch, BATCH),
}
