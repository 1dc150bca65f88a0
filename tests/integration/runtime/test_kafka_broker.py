"""The development broker: one clear line without its tools, a real broker with them."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from kafka import KafkaAdminClient
from kafka.admin import NewTopic

SCRIPT = Path(__file__).resolve().parents[3] / "deploy" / "kafka" / "broker.py"


def start(data: Path) -> tuple[subprocess.Popen[str], str]:
    """Start a broker on a free port; return it with its address once it says that it is ready."""
    command = [sys.executable, str(SCRIPT), "--port", "0", "--data", str(data)]
    broker = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert broker.stdout
    line = broker.stdout.readline()
    assert line.startswith("Kafka is ready: "), line
    return broker, line.split()[-1]


def stop(broker: subprocess.Popen[str], number: int) -> int:
    """Send a signal; return the exit status."""
    broker.send_signal(number)
    broker.communicate(timeout=120)
    return broker.returncode


def test_a_machine_without_java_is_told_so_in_one_line(tmp_path: Path) -> None:
    outcome = subprocess.run(
        [sys.executable, str(SCRIPT), "--data", str(tmp_path)],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert outcome.returncode == 2
    assert outcome.stderr == "kafka: java is not on the PATH: install a Java 17 runtime\n"


def test_a_machine_without_maven_is_told_so_before_the_jars_are_there(tmp_path: Path) -> None:
    script = tmp_path / "broker.py"
    script.write_text(SCRIPT.read_text())
    java = tmp_path / "java"
    java.touch(mode=0o755)
    outcome = subprocess.run(
        [sys.executable, str(script), "--data", str(tmp_path / "data")],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert outcome.returncode == 2
    assert outcome.stderr.startswith("kafka: mvn is not on the PATH")
    assert outcome.stderr.count("\n") == 1


@pytest.mark.kafka
@pytest.mark.skipif(
    shutil.which("java") is None or not (SCRIPT.parent / "lib").is_dir(),
    reason="needs Java and the broker's jars (deploy/kafka/broker.py --fetch)",
)
def test_a_broker_keeps_its_topics_over_a_clean_stop_and_a_kill(tmp_path: Path) -> None:
    broker, address = start(tmp_path)
    admin = KafkaAdminClient(bootstrap_servers=address)
    admin.create_topics([NewTopic("kept", 4, 1)])
    admin.close()
    assert stop(broker, signal.SIGTERM) == 0
    broker, address = start(tmp_path)
    assert stop(broker, signal.SIGKILL) == -signal.SIGKILL
    broker, again = start(tmp_path)
    admin = KafkaAdminClient(bootstrap_servers=again)
    topics = admin.list_topics()
    admin.close()
    assert stop(broker, signal.SIGTERM) == 0
    assert "kept" in topics
