"""The calls of docs/how-to/curate.md, made in their order: each does what the page says."""

import json
import re
import shlex
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from marquee_testing.fakes.applied_events import AppliedApi

PAGE = Path(__file__).resolve().parents[3] / "docs" / "how-to" / "curate.md"
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)


class Call(NamedTuple):
    method: str
    path: str
    body: Any


def calls() -> list[Call]:
    """Return the calls of the page."""
    text = "".join(BLOCK.findall(PAGE.read_text())).replace("\\\n", " ")
    return [call_of(shlex.split(line)) for line in text.splitlines() if line.startswith("curl ")]


def call_of(words: list[str]) -> Call:
    method, path, body = "GET", "", None
    headers: list[str] = []
    rest = iter(words[1:])
    for word in rest:
        if word == "-X":
            method = next(rest)
        elif word == "-H":
            headers.append(next(rest))
        elif word == "-d":
            body = json.loads(next(rest))
        else:
            parts = urlsplit(word)
            assert parts.netloc == "127.0.0.1:8080", word
            path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    assert "Authorization: Bearer $KEY" in headers
    assert (body is not None) is ("content-type: application/json" in headers)
    return Call(method, path, body)


async def test_the_page_s_calls_do_what_it_says() -> None:
    api, answers = AppliedApi(), []
    made = calls()
    assert len(made) >= 8
    async with api.client:
        for method, path, body in made:
            entry = (await api.entries("?movie_id=2"))[:1]
            there = path.replace("$ENTRY", entry[0]["id"]) if entry else path
            answers.append(await api.call(method, there, body))
        assert [film["title"] for film in answers[0]["items"]][:1] == ["Film 2"]
        assert len(answers[1]["items"]) == 3
        assert answers[1]["changed"] == 3
        assert [rule["movie_id"] for rule in answers[5]["items"]] == [2]
        assert [entry["decided_by"] for entry in answers[6]["items"]] == ["ann"]
        assert [entry["reason"] for entry in answers[7]["items"]] == ["rights ended"]
        # The last one takes the promotion back.
        assert (await api.call("GET", "/v1/promotions"))["items"] == []
        assert (await api.call("GET", "/v1/blocks"))["items"] == []
