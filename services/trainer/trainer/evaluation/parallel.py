"""Parallel evaluation: worker processes fill the cache, which the run then reads.

Each measurement is stored when it is computed, so a killed evaluation resumes where it was.
"""

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial

from threadpoolctl import threadpool_limits

from marquee import telemetry
from marquee.child_process import exit_after
from marquee.domain.likes import LikesRule, likes_rule, use_likes
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
    """An evaluation: data, plan, parameters, thresholds and the cache."""

    dataset: Dataset
    plan: EvaluationPlan
    parameters: TrainingParameters
    thresholds: Thresholds
    cache: EvaluationCache

    def recommenders(self, say: Say = lambda _words: None) -> Recommenders:
        """Return the recommenders on test users."""
        return Recommenders(self.plan, self.parameters, self.thresholds, self.cache, say)

    def on_validation(self, say: Say = lambda _words: None) -> Recommenders:
        """Return the recommenders on validation users."""
        plan = self.plan.on_validation
        return Recommenders(plan, self.parameters, self.thresholds, self.cache, say)


Task = Callable[[EvaluationJob], str]

_job: list[EvaluationJob] = []
"""The job of a worker process: sent once, at its start, since the data may be large."""


def fill_cache(job: EvaluationJob, jobs: int, say: Say) -> None:
    """Compute what the cache lacks in `jobs` processes; do nothing if one is to do it all.

    The first error of a process is raised; tasks that have not begun are cancelled.
    """
    if jobs < 2 or job.cache.folder is None:
        return
    # Not forked: threads of the libraries for linear algebra do not survive a fork.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context, _begin, (job, likes_rule())) as pool:
        running = [pool.submit(_do, task) for task in tasks_of(job)]
        try:
            for done, task in enumerate(as_completed(running), 1):
                say(f"{task.result()} done: {done} of {len(running)}")
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def tasks_of(job: EvaluationJob) -> Iterator[Task]:
    """Yield the independent parts of an evaluation, those on test users first."""
    for number, _ in enumerate(splits_of(job.plan, job.dataset)):
        yield partial(measure_split, number=number)
    if not job.plan.extras:
        return
    for trial in cold_start_trials(job.recommenders().missing):
        yield partial(measure_cold, trial=trial)
    for fold in job.plan.extra_folds:
        yield partial(measure_validation, fold=fold)
        yield partial(measure_ablation, fold=fold)


def measure_split(job: EvaluationJob, number: int) -> str:
    """Measure all recommenders on one split; return its name."""
    for i, (split, slices) in enumerate(splits_of(job.plan, job.dataset)):
        if i == number:
            job.recommenders().run(split, slices)
            return split.name
    raise IndexError(number)


def measure_cold(job: EvaluationJob, trial: ColdStartTrial) -> str:
    """Measure a model on unrated movies; return the trial's name."""
    run_trial(job.dataset, trial, job.parameters, job.cache)
    return trial.name


def measure_validation(job: EvaluationJob, fold: int) -> str:
    """Measure all recommenders on the validation users of a fold."""
    run = ValidationRun(job.dataset, job.plan, job.on_validation(), job.thresholds)
    return run.fill(fold)


def measure_ablation(job: EvaluationJob, fold: int) -> str:
    """Measure all models without each of their signals on a fold."""
    return AblationRun(job.dataset, job.plan, job.recommenders(), job.thresholds).fill(fold)


def _begin(job: EvaluationJob, likes: LikesRule) -> None:
    """Set up a worker: likes rule, one core, logs to standard error, an end with its parent."""
    use_likes(likes)
    threadpool_limits(1)
    telemetry.log_to_stderr()
    if (parent := multiprocessing.parent_process()) is not None:
        exit_after(parent.join)
    _job[:] = [job]


def _do(task: Task) -> str:
    return task(_job[0])
