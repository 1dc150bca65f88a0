"""Whatever Redis answers, or does not: each call of the API, and the consumer, on both buses."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio

from marquee.bus.kafka.bus import KafkaBus
from marquee.bus.redis.bus import RedisBus
from marquee_testing.causes import table
from marquee_testing.causes.outcomes import AT_ONCE, send_all
from marquee_testing.causes.redis_server import Bench, TroubledRedis
from marquee_testing.causes.redis_states import CAUSES, Cause
from marquee_testing.causes.subject import CONSUMER_TIMEOUT_S, Subject, settings_of, subject
from marquee_testing.servers.fault_proxy import FaultProxy, Link, fault_proxy

pytestmark = [pytest.mark.kafka, pytest.mark.asyncio(loop_scope="module")]


@dataclass
class Setting:
    """A server, and the gateways on it by (link, password), by part of the table."""

    server: TroubledRedis
    link: Link
    kafka_servers: str
    namespace: str
    stack: contextlib.AsyncExitStack
    made: dict[tuple[bool, str | None], dict[str, Subject]]

    async def subjects(self, cause: Cause) -> dict[str, Subject]:
        """Return the gateways that reach the server as a cause demands, by part of the table."""
        name = (cause.by_link, cause.password)
        if name not in self.made:
            made = {"redis": await self._made(cause, False)}
            if name == (False, None):
                made["redis, bus on kafka"] = await self._made(cause, True)
            self.made[name] = made
        return self.made[name]

    async def _made(self, cause: Cause, on_kafka: bool) -> Subject:
        address = self.link.address if cause.by_link else self.server.address
        user = f"default:{cause.password}@" if cause.password else ""
        url, direct = f"redis://{user}{address}/0", f"redis://{self.server.address}/0"
        namespace = f"{self.namespace}-{len(self.made)}-{'kafka' if on_kafka else 'redis'}"
        bus = (
            KafkaBus(self.kafka_servers, namespace)
            if on_kafka
            else RedisBus(url, namespace, timeout_s=CONSUMER_TIMEOUT_S)
        )
        # A broker that is well, on a busy machine, is not what is tried here.
        kafka = {"bus": "kafka", "kafka_servers": self.kafka_servers, "write_ms": 1500}
        more = kafka if on_kafka else {}
        settings = settings_of(url, namespace, **more)
        return await self.stack.enter_async_context(subject(settings, bus, direct))


@pytest.fixture(scope="module")
def proxy():
    with fault_proxy() as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def setting(
    tmp_path_factory: pytest.TempPathFactory, proxy: FaultProxy, kafka_servers: str
) -> AsyncIterator[Setting]:
    server = TroubledRedis(tmp_path_factory.mktemp("troubled"))
    server.start()
    link = proxy.link(server.address)
    namespace = f"causes-{server.port}"
    async with contextlib.AsyncExitStack() as stack:
        yield Setting(server, link, kafka_servers, namespace, stack, {})
    server.stop()


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: cause.name.replace(" ", "-"))
async def test_each_call_has_its_answer_and_the_consumer_says_what_it_waits_for(
    setting: Setting, cause: Cause
) -> None:
    subjects = await setting.subjects(cause)
    for one in subjects.values():
        await one.recover()  # so that each part has worked before
    columns, faults = {}, []
    with setting.server.client() as admin:
        admin.ping()
        with cause.enter(Bench(setting.server, setting.link, admin)):
            for part, one in subjects.items():
                await one.settle(cause.loses_reads)
                at_once = AT_ONCE if cause.is_silent else 4
                outcomes = await send_all(one.client, one.calls, cause.name, at_once)
                faults += outcomes.faults
                waits_for = await one.says(table.said(part, cause.name))
                columns[part] = table.column(cause.about, waits_for, outcomes.cells)
    for one in subjects.values():
        await one.recover()
    assert faults == []
    for part, column in columns.items():
        table.compare(part, cause.name, column)
