"""What the demo names as the reason where a service does not become ready."""

import json
from pathlib import Path

from marquee_local.probes import last_error


def entry(time: int, level: str, **fields: str) -> str:
    return json.dumps({"level": level, "timestamp": f"2026-01-01T00:00:0{time}Z", **fields}) + "\n"


def test_the_newest_error_of_the_service_s_processes_is_the_reason(tmp_path: Path) -> None:
    old = entry(1, "error", event="stopped", detail="an old one")
    new = entry(3, "error", event="the log is not what it was", detail="movies:2 has lost messages")
    (tmp_path / "content-app.log").write_text(old + "no JSON\n" + entry(5, "info", event="serves"))
    (tmp_path / "content-consumer.log").write_text(new + '"text"\n')
    (tmp_path / "gateway-app.log").write_text(entry(9, "error", event="of another service"))
    assert last_error(tmp_path, "content") == "movies:2 has lost messages"
    assert last_error(tmp_path, "gateway") == "of another service"
    assert last_error(tmp_path, "neural") == ""
