"""Requests that Schemathesis generates from the running gateway's OpenAPI document.

Schemathesis runs in an environment of its own, once a credential: a key with all scopes has most of
the requests, keys with one scope each, a viewer's token and no key at all have the rest.
"""

import base64
import json
import os
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from rich.table import Table

from fuzz_system import System

HERE = Path(__file__).resolve().parent
PROGRAM = HERE.parents[1] / ".venv-fuzz" / "bin" / "schemathesis"
VIEWER = "fuzz:viewer"
ALL = "all scopes"
SCOPES = ("read", "write", "curate", "operate")
TOKEN, NOBODY = "viewer's token", "no key"
ONE_SCOPE_SHARE = 0.05
"""Share of the requests that each credential but the one with all scopes has."""
COVERAGE_REQUESTS = 10_000
"""About as many requests does the phase make that goes through the limits of each field, most of
them of events."""
OFF = {
    "use_after_free": "a removal is an event: reads follow it within a moment, not at once; and"
    " whoever asks for a forgotten viewer gets a new one",
    "object_level_authorization": "it needs two identities that own things; keys own none, and the"
    " scope matrix tests tokens of other viewers",
}
"""Checks of Schemathesis that are off, and why."""


@dataclass
class ApiResult:
    """What the requests came to."""

    statuses: dict[str, Counter[int]] = field(default_factory=dict)
    """By operation."""
    by_credential: dict[str, Counter[int]] = field(default_factory=dict)
    failures: Counter[str] = field(default_factory=Counter)
    """By check, operation and what is wrong; one request may fail several checks."""
    examples: dict[str, str] = field(default_factory=dict)
    """The first request of each failure."""
    faults: list[str] = field(default_factory=list)
    """What kept Schemathesis itself from its work."""

    @property
    def requests(self) -> int:
        return sum(counts.total() for counts in self.statuses.values())

    @property
    def server_errors(self) -> int:
        every = sum(self.statuses.values(), Counter[int]())
        return sum(n for status, n in every.items() if status >= 500 or status == 0)

    @property
    def is_clean(self) -> bool:
        return not self.failures and not self.faults and not self.server_errors


@dataclass(frozen=True)
class Pass:
    """One run of Schemathesis: a credential, phases, examples an operation, and a seed."""

    credential: str
    phases: str
    examples: int
    seed: int


class ApiFuzz:
    """Sends a number of generated requests to a system."""

    def __init__(self, system: System, seed: int, requests: int) -> None:
        self._system, self._seed, self._wanted = system, seed, requests
        self._reports = system.state / "schemathesis"
        self._reports.mkdir(exist_ok=True)
        self.result = ApiResult()

    def run(self) -> ApiResult:
        """Send the requests; return what they came to."""
        credentials = self._credentials()
        document = httpx.get(f"{self._system.url}/openapi.json").json()
        self._environ = os.environ | {
            "FUZZ_MOVIES": json.dumps(self._movies(credentials[ALL])),
            "FUZZ_USERS": json.dumps([VIEWER, *range(1, 20)]),
        }
        self._operations = sum(len(methods) for methods in document["paths"].values())
        for one in self._passes():
            self._run(one, credentials[one.credential])
        return self.result

    def _credentials(self) -> dict[str, str]:
        new_key = self._system.new_key
        scopes = () if self._system.is_short else SCOPES
        keys = {scope: new_key(f"fuzz-{scope}", scope) for scope in scopes}
        keys[ALL] = new_key("fuzz-all", ",".join(SCOPES))
        self._system.wait_for_key(keys[ALL])
        keys[TOKEN], keys[NOBODY] = self._token(keys[ALL]), ""
        return keys

    def _token(self, key: str) -> str:
        answer = httpx.post(
            f"{self._system.url}/v1/users/{VIEWER}/tokens",
            headers={"Authorization": f"Bearer {key}"},
            json={"seconds": 86_400},
        )
        return str(answer.raise_for_status().json()["token"])

    def _movies(self, key: str) -> list[Any]:
        headers = {"Authorization": f"Bearer {key}"}
        answer = httpx.get(f"{self._system.url}/v1/movies?limit=50", headers=headers)
        return [item["movie_id"] for item in answer.raise_for_status().json()["items"]]

    def _passes(self) -> Iterator[Pass]:
        """Yield runs until there were enough requests."""
        phases = ["fuzzing", "stateful"]
        if self._has_coverage:
            phases = ["examples", "coverage", *phases]
        yield Pass(ALL, ",".join(phases), self._examples(0.5), self._seed)
        few = self._examples(ONE_SCOPE_SHARE)
        for credential in (TOKEN,) if self._system.is_short else (*SCOPES, TOKEN, NOBODY):
            yield Pass(credential, "fuzzing", few, self._seed)
        seed = self._seed
        while self.result.requests < self._wanted and not self.result.faults:
            seed, left = seed + 1, self._wanted - self.result.requests
            yield Pass(ALL, "fuzzing", max(5, left // self._operations + 1), seed)

    @property
    def _has_coverage(self) -> bool:
        return self._wanted > 1.5 * COVERAGE_REQUESTS

    def _examples(self, share: float) -> int:
        drawn = self._wanted - (COVERAGE_REQUESTS if self._has_coverage else 0)
        return max(2, round(drawn * share / self._operations))

    def _run(self, one: Pass, credential: str) -> None:
        name = f"{len(list(self._reports.glob('*.ndjson'))):02}"
        report, output = self._reports / f"{name}.ndjson", self._reports / f"{name}.txt"
        with output.open("w") as file:
            status = subprocess.run(
                self._command(one, credential, report),
                cwd=HERE,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
            ).returncode
        seen = self._read(one.credential, report) if report.exists() else 0
        # Status 1: checks failed, of which the report tells.
        if status not in (0, 1) or not seen:
            said = output.read_text(errors="replace")[-1500:]
            self.result.faults.append(f"{one}: {seen} requests, status {status}: {said}")

    def _command(self, one: Pass, credential: str, report: Path) -> list[str]:
        headers = ["--header", f"Authorization: Bearer {credential}"] if credential else []
        excluded = [*OFF, *(["ignored_auth"] if one.credential == NOBODY else [])]
        options = {
            "--seed": str(one.seed),
            "--max-examples": str(one.examples),
            "--phases": one.phases,
            "--checks": "all",
            "--exclude-checks": ",".join(excluded),
            "--report": "ndjson",
            "--report-ndjson-path": str(report),
            "--warnings": "off",
            # A slow answer of a busy machine is no fault here.
            "--suppress-health-check": "all",
        }
        program = [str(PROGRAM), "--config-file", str(HERE / "schemathesis.toml"), "run"]
        words = [word for option in options.items() for word in option]
        return [*program, f"{self._system.url}/openapi.json", *words, *headers, "--no-color"]

    def _read(self, credential: str, report: Path) -> int:
        """Count what a report tells; return the number of requests."""
        counts = self.result.by_credential.setdefault(credential, Counter())
        before = counts.total()
        for scenario in _scenarios(report):
            for case, interaction in scenario.get("interactions", {}).items():
                label = _operation(scenario["cases"][case]["value"])
                status = (interaction["response"] or {"status_code": 0})["status_code"]
                counts[status] += 1
                self.result.statuses.setdefault(label, Counter())[status] += 1
                for check in scenario.get("checks", {}).get(case, ()):
                    if check["status"] != "success":
                        self._failed(label, status, check, interaction)
        for fault in _errors(report):
            self.result.faults.append(f"{credential}: {fault}")
        return counts.total() - before

    def _failed(self, label: str, status: int, check: Any, interaction: Any) -> None:
        failure = (check.get("failure_info") or {}).get("failure") or {}
        lines = str(failure.get("message", "")).strip().splitlines()
        name = f"{check['name']} · {label} · {status} · {lines[0] if lines else ''}"
        self.result.failures[name] += 1
        if name not in self.result.examples:
            request, response = interaction["request"], interaction["response"] or {}
            self.result.examples[name] = (
                f"{request['method']} {request['uri']} {_text(request.get('body'))}"
                f" → {_text(response.get('content'))}"
            )


def _scenarios(report: Path) -> Iterator[Any]:
    """Yield the record of each scenario."""
    for kind, event in _events(report):
        if kind == "ScenarioFinished":
            yield event["recorder"]


def _operation(case: Any) -> str:
    return f"{case['method']} {case['path']}"


def _errors(report: Path) -> Iterable[str]:
    return [str(event)[:1500] for kind, event in _events(report) if kind.endswith("Error")]


def _events(report: Path) -> Iterator[tuple[str, Any]]:
    with report.open() as lines:
        for line in lines:
            ((kind, event),) = json.loads(line).items()
            yield kind, event


def _text(content: Any) -> str:
    if isinstance(content, dict):
        content = base64.b64decode(content.get("$base64", ""))
    return str(content)[:600]


def table_of(result: ApiResult) -> Table:
    """Return operations × statuses."""
    every: Counter[int] = sum(result.statuses.values(), Counter())
    table = Table(title=f"{result.requests:,} requests by Schemathesis")
    table.add_column("operation")
    for status in sorted(every):
        table.add_column(str(status or "none"), justify="right")
    rows = {**dict(sorted(result.statuses.items())), "all": every}
    for label, counts in rows.items():
        table.add_row(label, *(f"{counts[status] or '·'}" for status in sorted(every)))
    return table
