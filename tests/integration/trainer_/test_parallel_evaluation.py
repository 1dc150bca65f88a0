"""An evaluation in several processes: the same figures, kept as they come, errors passed on."""

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from marquee_testing.trainings.small_evaluation import PLAN, work
from trainer.evaluation.evaluate import evaluate
from trainer.evaluation.parallel import fill_cache
from trainer.models.parameters import TrainingParameters
from trainer.report.model import TWO_CHANNEL_EASE

pytestmark = pytest.mark.timeout(900)


def test_processes_leave_in_the_cache_what_one_process_would_compute(tmp_path: Path) -> None:
    said: list[str] = []
    shared = work(tmp_path)
    fill_cache(shared, 2, said.append)
    assert {words[-6:] for words in said} == {"1 of 2", "2 of 2"}
    files = {path.name for path in tmp_path.iterdir()}
    assert files == {
        f"fold-{fold}-{name}.npz"
        for fold in (8, 9)
        for name in ("EASE", TWO_CHANNEL_EASE, "content")
    }
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    args = (shared.dataset, shared.parameters, shared.thresholds, PLAN)
    report = evaluate(*args, shared.cache)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before
    assert report.slices == evaluate(*args).slices


def test_an_error_in_a_process_is_that_of_the_run(tmp_path: Path) -> None:
    wrong = replace(work(tmp_path), parameters=TrainingParameters(1, {"content": {"clusters": 0}}))
    with pytest.raises(Exception, match="clusters"):
        fill_cache(wrong, 2, lambda _words: None)


SCRIPT = """
import sys
from pathlib import Path
from marquee.domain.recommendation import Route
from marquee.domain.routing import Thresholds
from marquee_testing import checkerboard
from trainer.evaluation.baselines.families import EASE, ITEM_KNN
from trainer.evaluation.cache import EvaluationCache
from trainer.evaluation.plan import EvaluationPlan
from trainer.evaluation.parallel import EvaluationJob, fill_cache
from trainer.models.parameters import TrainingParameters
from trainer.evaluation.protocols.slices import Slice

if __name__ == "__main__":
    slices = (Slice("3 viewed", Route.SIMILAR, given=3, viewed=True),)
    plan = EvaluationPlan(tuple(range(10)), slices, ("content",), (EASE, ITEM_KNN))
    cache = EvaluationCache(Path(sys.argv[1]))
    work = EvaluationJob(checkerboard(120, 40), plan, TrainingParameters(), Thresholds(), cache)
    fill_cache(work, 2, lambda _words: None)
"""


def test_a_killed_run_leaves_what_it_has_computed_and_no_process(tmp_path: Path) -> None:
    script, kept = tmp_path / "run.py", tmp_path / "cache"
    script.write_text(SCRIPT)
    run = subprocess.Popen([sys.executable, str(script), str(kept)], start_new_session=True)
    deadline = time.monotonic() + 360
    while not list(kept.glob("*.npz")):
        assert run.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    run.kill()
    run.wait()
    while _alive(run.pid):
        assert time.monotonic() < deadline + 180
        time.sleep(0.05)
    assert list(kept.glob("*.npz"))


def _alive(group: int) -> bool:
    """Return whether a process of the group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
