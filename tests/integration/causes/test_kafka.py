"""Whatever Kafka answers, or does not: each call of the API, and the consumer."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio

from marquee.bus.kafka.bus import KafkaBus
from marquee.events import MOVIES, RATINGS
from marquee_local import servers
from marquee_testing.causes import table
from marquee_testing.causes.kafka_states import CAUSES, KafkaBench, KafkaCause, TroubledKafka
from marquee_testing.causes.outcomes import AT_ONCE, send_all
from marquee_testing.causes.subject import Subject, settings_of, subject
from marquee_testing.servers.fault_proxy import fault_proxy

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(servers.kafka_lacks() is not None, reason="needs a Kafka broker"),
]


@dataclass
class Setting:
    """A broker, and a gateway with its bus there."""

    bench: KafkaBench
    subject: Subject


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def setting(
    tmp_path_factory: pytest.TempPathFactory, redis_url: str
) -> AsyncIterator[Setting]:
    with fault_proxy() as proxy:
        server = TroubledKafka(tmp_path_factory.mktemp("troubled-kafka"), proxy)
        server.start()
        namespace, address = f"causes-{server.port}", server.link.address
        settings = settings_of(redis_url, namespace, bus="kafka", kafka_servers=address)
        bus = KafkaBus(address, namespace, timeout_s=4.0)
        topics = [f"{namespace}.{topic}" for topic in (MOVIES, RATINGS)]
        async with subject(settings, bus, redis_url) as made:
            yield Setting(KafkaBench(server, topics), made)
        server.stop()


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: cause.name.replace(" ", "-"))
async def test_each_call_has_its_answer_and_the_consumer_says_what_it_waits_for(
    setting: Setting, cause: KafkaCause
) -> None:
    one = setting.subject
    await one.recover()  # so that each part has worked before
    with cause.enter(setting.bench):
        at_once = AT_ONCE if cause.is_silent else 4
        outcomes = await send_all(one.client, one.calls, f"kafka {cause.name}", at_once)
        waits_for = await one.says(table.said("kafka", cause.name))
    if cause.passes:
        await one.recover()
    assert outcomes.faults == []
    column = table.column(cause.about, waits_for, outcomes.cells)
    table.compare("kafka", cause.name, column)
