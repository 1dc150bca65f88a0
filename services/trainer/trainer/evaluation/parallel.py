"""An evaluation in several processes: they fill the cache, and the run then reads it.

What one of them has computed is kept at once, so a run that was killed goes on where it was.
"""

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from typing import Any

from threadpoolctl import threadpool_limits

from marquee import telemetry
from marquee.domain.routing import Thresholds
from marquee.features.dataset import Dataset
from trainer.evaluation.ablation import AblationRun
from trainer.evaluation.cache import EvaluationCache
from trainer.evaluation.cold_start.trials import ColdStartTrial, cold_start_trials, run_trial
from trainer.evaluation.plan import EvaluationPlan, Say
from trainer.evaluation.recommenders import Recommenders
from trainer.evaluation.run import splits_of
from trainer.evaluation.validation import ValidationRun
from trainer.models.parameters import TrainingParameters


@dataclass(frozen=True, eq=False)
class EvaluationJob:
    """An evaluation: the data, the plan, and where what was computed is kept."""

    dataset: Dataset
    plan: EvaluationPlan
    parameters: TrainingParameters
    thresholds: Thresholds
    cache: EvaluationCache

    def recommenders(self, say: Say = lambda _words: None) -> Recommenders:
        """Return what is compared on tested users."""
        return Recommenders(self.plan, self.parameters, self.thresholds, self.cache, say)

    def on_validation(self, say: Say = lambda _words: None) -> Recommenders:
        """Return what is compared on validation users."""
        plan = self.plan.on_validation
        return Recommenders(plan, self.parameters, self.thresholds, self.cache, say)


Task = Callable[[EvaluationJob], str]

_work: list[EvaluationJob] = []
"""What a process of the pool has been given at its start: once, since the data may be large."""


def fill_cache(work: EvaluationJob, jobs: int, say: Say) -> None:
    """Compute in so many processes what the cache lacks; nothing where one is to do it all.

    An error of any of them is raised, and what has not begun is left.
    """
    if jobs < 2 or work.cache.folder is None:
        return
    # Not forked: threads of the libraries for linear algebra do not survive a fork.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context, _begin, (work,)) as pool:
        running = [pool.submit(_do, task) for task in tasks_of(work)]
        try:
            for done, task in enumerate(as_completed(running), 1):
                say(f"{task.result()} done: {done} of {len(running)}")
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def tasks_of(work: EvaluationJob) -> Iterator[Task]:
    """Yield the parts of an evaluation that can be computed apart, the tested users first."""
    for number, _ in enumerate(splits_of(work.plan, work.dataset)):
        yield partial(measure_split, number=number)
    if not work.plan.extras:
        return
    for trial in cold_start_trials(work.recommenders().missing):
        yield partial(measure_cold, trial=trial)
    for fold in work.plan.trials:
        yield partial(measure_validation, fold=fold)
        yield partial(measure_ablation, fold=fold)


def measure_split(work: EvaluationJob, number: int) -> str:
    """Measure all recommenders on one split; return its name."""
    for i, (split, slices, curve) in enumerate(splits_of(work.plan, work.dataset)):
        if i == number:
            work.recommenders().run(split, slices, curve)
            return split.name
    raise IndexError(number)


def measure_cold(work: EvaluationJob, trial: ColdStartTrial) -> str:
    """Measure a model on movies that nobody rated; return the trial's name."""
    run_trial(work.dataset, trial, work.parameters, work.cache)
    return trial.name


def measure_validation(work: EvaluationJob, fold: int) -> str:
    """Measure all recommenders on the validation users of a fold."""
    run = ValidationRun(work.dataset, work.plan, work.on_validation(), work.thresholds)
    return run.fill(fold)


def measure_ablation(work: EvaluationJob, fold: int) -> str:
    """Measure all models without each of their parts on a fold."""
    return AblationRun(work.dataset, work.plan, work.recommenders(), work.thresholds).fill(fold)


def _begin(work: EvaluationJob) -> None:
    """Let a process keep to one core for as long as it lives, and say on standard error alone what
    it does."""
    threadpool_limits(1)
    telemetry.log_to_stderr()
    if (parent := multiprocessing.parent_process()) is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    _work[:] = [work]


def _end_with(parent: Any) -> None:
    """End this process once its parent has: one that was killed could not say so."""
    parent.join()
    os._exit(1)


def _do(task: Task) -> str:
    return task(_work[0])
