"""`marquee inspect` of an id that nobody knows, on a real server."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from trainer.cli.main import app


@pytest.mark.parametrize("words", [("movie", "nope"), ("user", "newbie"), ("user", "1", "--json")])
def test_an_id_that_no_service_knows_is_told_in_one_line(
    words: tuple[str, ...],
    redis_url: str,
    namespace: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MARQUEE_STATE", str(tmp_path))
    monkeypatch.setenv("MARQUEE_REDIS_URL", redis_url)
    monkeypatch.setenv("MARQUEE_NAMESPACE", namespace)
    told = CliRunner().invoke(app, ["inspect", *words])
    assert (told.exit_code, told.stderr.count("\n")) == (2, 1)
    assert bool(told.stdout) == ("--json" in words)  # what polls reads it all the same
    assert f"no service holds anything of {words[0]} {words[1]}" in told.stderr
