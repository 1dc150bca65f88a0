"""The bus that the settings name."""

import subprocess
import sys

from marquee.bus.factory import open_bus
from marquee.bus.kafka.bus import KafkaBus
from marquee.bus.redis.bus import RedisBus
from marquee.settings import Settings


def test_the_settings_choose_the_bus_and_nothing_is_connected() -> None:
    assert isinstance(open_bus(Settings(bus="redis")), RedisBus)
    assert isinstance(open_bus(Settings(bus="kafka")), KafkaBus)


def test_a_process_on_redis_does_not_load_the_kafka_client() -> None:
    code = """
import sys
from marquee.bus.factory import open_bus
from marquee.settings import Settings
open_bus(Settings()).close()
sys.exit("kafka" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
