"""Background jobs: one run at a time, another for requests meanwhile, none after the end."""

import asyncio

import pytest

from marquee.serving import background_job
from marquee.serving.background_job import BackgroundJob


async def test_requests_during_a_run_lead_to_exactly_one_more() -> None:
    runs, go_on = 0, asyncio.Event()

    async def run() -> None:
        nonlocal runs
        runs += 1
        await go_on.wait()

    job = BackgroundJob(run)
    job.request()
    await asyncio.sleep(0)
    for _ in range(3):
        job.request()
    assert runs == 1
    go_on.set()
    for _ in range(5):
        await asyncio.sleep(0)
    assert runs == 2
    job.request()
    await asyncio.sleep(0)
    assert runs == 3
    await job.close()


async def test_a_run_that_fails_for_the_network_is_repeated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(background_job, "RETRY_SECONDS", 0.0)
    runs = 0

    async def run() -> None:
        nonlocal runs
        runs += 1
        if runs < 3:
            raise ConnectionError("away")

    job = BackgroundJob(run)
    job.request()
    for _ in range(10):
        await asyncio.sleep(0)
    assert runs == 3
    await job.close()


async def test_a_job_that_is_closed_waits_for_its_run_and_begins_no_other() -> None:
    runs = 0

    async def run() -> None:
        nonlocal runs
        await asyncio.sleep(0)
        runs += 1

    job = BackgroundJob(run)
    job.request()
    await asyncio.sleep(0)
    job.request()
    await job.close()
    assert runs == 1
    job.request()
    await asyncio.sleep(0)
    assert runs == 1
