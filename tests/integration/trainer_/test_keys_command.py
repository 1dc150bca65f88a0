"""`marquee keys`: a key is printed once, and lists never show it."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from trainer.cli.main import app


@pytest.fixture
def run(redis_url: str, namespace: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("MARQUEE_REDIS_URL", redis_url)
    monkeypatch.setenv("MARQUEE_NAMESPACE", namespace)

    def call(*arguments: str) -> Result:
        return CliRunner().invoke(app, ["keys", *arguments])

    return call


def test_the_life_of_a_key(run: Any) -> None:
    limits = ("--expires", "90d", "--rate", "200/s")
    created = run("create", "--name", "shop", "--scope", "read,write", *limits)
    assert created.exit_code == 0, created.stderr
    text = created.stdout.strip()
    assert text.startswith("marquee_")
    assert len(created.stdout.splitlines()) == 1
    assert "shop: read, write, 200/s, until " in created.stderr
    assert "it is not shown again" in created.stderr
    again = run("create", "--name", "shop", "--scope", "read")
    assert again.exit_code == 2
    assert "there is a valid key 'shop'; rotate it, revoke it, or take another name" in again.stderr
    rotated = run("rotate", "shop", "--overlap", "2h")
    assert rotated.exit_code == 0
    assert rotated.stdout.strip() != text
    assert "the key before it is valid for 2h from now" in rotated.stderr
    listed = run("list")
    assert [line.split()[1:3] for line in listed.stdout.splitlines()[1:]] == [
        ["shop", "read,write"]
    ] * 2
    for secret in (text, rotated.stdout.strip()):
        assert secret.split("_", 2)[2] not in listed.stdout
    [one, two] = json.loads(run("list", "--json").stdout)
    assert "digest" not in one
    assert (one["rate"], two["rate"]) == ("200/s", "200/s")
    assert run("revoke", "shop").stderr.startswith("revoked: shop (")
    assert run("list").stdout.count("revoked") == 2
    missing = run("revoke", "shop")
    assert (missing.exit_code, missing.stderr.strip()) == (
        2,
        "marquee: there is no valid key 'shop'",
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--name", "a b", "--scope", "read"), "name: 'a b' is not"),
        (("--name", "shop", "--scope", "all"), "scope: 'all' is none of read, write"),
        (("--name", "shop", "--scope", "read", "--rate", "9"), "rate: '9' is no rate"),
        (("--name", "shop", "--scope", "read", "--expires", "soon"), "'soon' is no duration"),
    ],
)
def test_a_wrong_option_is_one_line(run: Any, arguments: tuple[str, ...], says: str) -> None:
    refused = run("create", *arguments)
    assert refused.exit_code == 2
    assert says in refused.stderr
    assert not refused.stdout
    assert "no keys yet" in run("list").stderr
