"""At the end: the logs of all processes of the run hold no secret and nothing of a viewer."""

from typing import Any

import pytest

from marquee.settings import STATE_FILE
from marquee_testing.log_search import leaks_in, logs_of

pytestmark = pytest.mark.timeout(1500)  # the first test that needs the whole system starts it

SECRET_SETTINGS = ("MARQUEE_SERVICE_SECRET", "MARQUEE_TOKEN_SECRETS")


@pytest.mark.after_all
def test_no_log_of_this_run_holds_a_secret_or_data_of_a_viewer(system: Any, traces: Any) -> None:
    secrets = dict(traces.secrets)
    for folder in traces.folders:
        settings = folder / STATE_FILE
        lines = settings.read_text().splitlines() if settings.exists() else []
        values = dict(line.split("=", 1) for line in lines)
        secrets |= {values[name]: name for name in SECRET_SETTINGS if values.get(name)}
    logs = [log for folder in traces.folders for log in logs_of(folder)]
    assert {"gateway", "content"} <= {log.name.split("-")[0].split(".")[0] for log in logs}
    assert any(log.stat().st_size for log in logs)
    assert set(SECRET_SETTINGS) & set(secrets.values())
    # Left by this test itself, for when it runs alone: what the search has to miss.
    system.rate(1 << 41, {1: 5.0})
    secrets[str(1 << 41)] = "id of a viewer"
    found = sorted({str(leak) for leak in leaks_in(logs, secrets)})
    assert not found, f"{len(found)} lines, of them:\n" + "\n".join(found[:20])
