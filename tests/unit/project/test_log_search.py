"""The search of logs finds what no log may hold, each kind of it, and nothing else."""

from pathlib import Path

import pytest

from gateway.access.viewer_tokens import ViewerTokens
from marquee.access.api_keys import create_key
from marquee.access.scopes import Scope
from marquee_testing.log_search import PATTERNS, leaks_in, logs_of

CLEAN = """\
{"process": "gateway app", "level": "warning", "event": "open access: every caller may do all"}
INFO:     Uvicorn running on http://127.0.0.1:8080 (Press CTRL+C to quit)
{"event": "training is due", "reason": "10,000 new ratings", "models": ["content"]}
{"event": "a key is revoked", "key": "shop (0123456789ab)"}
redis://127.0.0.1:6379/0 and redis://marquee:***@redis:6379 are addresses
rating: rmse 0.87, ratings 100836, a rating network of 5 layers
"""
PLANTED = {
    "key of a caller": create_key("shop", (Scope.READ,))[1],
    "token of a viewer": ViewerTokens(("s" * 32,)).sign(7, 900),
    "credential of a request": '{"headers": {"authorization": "Bearer abcdefgh12"}}',
    "password of an address": "cannot reach redis://marquee:hunter2@redis:6379/0",
    "id of a viewer": 'INFO: 127.0.0.1 - "GET /v1/users/user:ab-1/ratings HTTP/1.1" 200',
    "rating of a viewer": '{"event": "bad body", "body": {"rating": 4.5}}',
    "address of a mailbox": "asked by ann.smith@example.org",
}


def test_a_clean_log_is_clean(tmp_path: Path) -> None:
    log = tmp_path / "gateway.log"
    log.write_text(CLEAN)
    assert list(leaks_in([log], {"s3cret-of-services": "secret", "": "nothing"})) == []


@pytest.mark.parametrize("kind", PATTERNS)
def test_what_is_planted_is_found_and_not_repeated(tmp_path: Path, kind: str) -> None:
    log = tmp_path / "gateway.log"
    log.write_text(f"{CLEAN}{PLANTED[kind]}\n{CLEAN}")
    found = list(leaks_in([log], {}))
    assert kind in {leak.kind for leak in found}
    assert {leak.line for leak in found} == {CLEAN.count("\n") + 1}
    assert PLANTED[kind] not in " ".join(map(str, found))


def test_known_secrets_are_found_in_every_log_of_a_system(tmp_path: Path) -> None:
    for name in ("demo.txt", "log/gateway.log", "log/deep/worker.out", "kafka/broker.log"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("a line\nwith f00-of-services in it\n")
    (tmp_path / "marquee.env").write_text("MARQUEE_SERVICE_SECRET=f00-of-services\n")
    found = list(leaks_in(logs_of(tmp_path), {"f00-of-services": "secret of services"}))
    assert sorted(leak.path.name for leak in found) == [
        "broker.log", "demo.txt", "gateway.log", "worker.out",
    ]  # fmt: skip
    assert {leak.line for leak in found} == {2}
