"""Run one Kafka broker for development, in the foreground: `broker.py --port N --data DIR`."""

import argparse
import ctypes
import hashlib
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

HERE = Path(__file__).resolve().parent
LIB = HERE / "lib"
CLUSTER_ID = "TWFycXVlZURldktyYWZ0MQ"
JVM = ["-Xmx256m", "-Xms64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]

# The session time-out is short so that a killed broker comes back in 3 s, not in 13.
PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{advertised}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}/log
num.partitions=1
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
log.cleaner.dedupe.buffer.size=16777216
broker.session.timeout.ms=1500
broker.heartbeat.interval.ms=300
"""


def main() -> int:
    """Parse the command line, run the broker, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=9092, help="0 takes a free one")
    parser.add_argument("--advertised", type=int, help="port that clients are told, of a proxy")
    parser.add_argument("--data", type=Path, default=Path("var/kafka"))
    parser.add_argument("--fetch", action="store_true", help="fetch the jars and stop")
    args = parser.parse_args()
    java = shutil.which("java")
    if java is None:
        return fail("java is not on the PATH: install a Java 17 runtime")
    if not fetched() and not fetch() and not LIB.is_dir():
        return 2
    if args.fetch:
        return 0
    port = args.port or free_port()
    return run(java, port, args.advertised or port, args.data.resolve())


def fail(message: str) -> int:
    """Print an error as one line; return the exit status for it."""
    print(f"kafka: {message}", file=sys.stderr)
    return 2


def fetched(lib: Path = LIB) -> bool:
    """Return whether a folder contains the jars that pom.xml names now."""
    stamp = lib / "pom.sha256"
    return stamp.exists() and stamp.read_text() == pom_digest()


def pom_digest() -> str:
    """Return the SHA-256 digest of pom.xml, which identifies its list of jars."""
    return hashlib.sha256((HERE / "pom.xml").read_bytes()).hexdigest()


def fetch() -> bool:
    """Copy the jars named by pom.xml into LIB; a fetch that fails leaves nothing behind."""
    maven = shutil.which("mvn")
    if maven is None:
        fail("mvn is not on the PATH: install Maven, which fetches the broker's jars once")
        return False
    partial = LIB.with_name(f"lib.{os.getpid()}")
    command = [maven, "-q", "-B", "-Dstyle.color=never", "-f", str(HERE / "pom.xml")]
    goal = ["dependency:copy-dependencies", f"-DoutputDirectory={partial}"]
    try:
        copied = subprocess.run([*command, *goal, "-DincludeScope=runtime"], stdout=sys.stderr)
        if copied.returncode:
            fail("Maven could not fetch the broker's jars (its own words are above)")
        else:
            add(partial)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return fetched()


def add(partial: Path, lib: Path = LIB) -> None:
    """Move the jars that `lib` lacks into it; its other jars stay for brokers that use them."""
    lib.mkdir(exist_ok=True)
    for jar in partial.glob("*.jar"):
        if not (lib / jar.name).exists():
            jar.rename(lib / jar.name)
    for archive in lib.glob("*.jsa"):
        archive.unlink(missing_ok=True)  # of another list of jars: it would slow each start down
    (lib / "pom.sha256").write_text(pom_digest())


def free_port() -> int:
    """Return a free port of the loopback address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def run(java: str, port: int, advertised: int, data: Path) -> int:
    """Start the broker, print when it answers, and wait for its end.

    After the first call clients connect to the `advertised` port, as the broker tells them to.
    """
    data.mkdir(parents=True, exist_ok=True)
    config = data / "server.properties"
    ports = {"port": port, "advertised": advertised, "controller": free_port()}
    config.write_text(PROPERTIES.format(**ports, data=data))
    # The class archive wants the same jars in the same order at each start.
    classpath = ["-cp", ":".join(str(jar) for jar in sorted(LIB.glob("*.jar")))]
    if not (data / "log" / "meta.properties").exists() and not storage(java, classpath, config):
        return fail(f"could not format {data}")
    archive = LIB / f"{java_stamp(java)}.jsa"
    partial = archive.with_suffix(f".{os.getpid()}")
    sharing = "SharedArchiveFile" if archive.exists() else "ArchiveClassesAtExit"
    share = [f"-XX:{sharing}={archive if archive.exists() else partial}", "-Xlog:disable"]
    log = [
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
        "-Dorg.slf4j.simpleLogger.showDateTime=true",
        f"-Dorg.slf4j.simpleLogger.logFile={data}/server.log",
    ]
    command = [java, *JVM, *share, *log, *classpath, "kafka.Kafka", str(config)]
    broker = subprocess.Popen(command, preexec_fn=die_with_parent)
    status = serve(broker, port, data)
    if partial.exists():
        partial.replace(archive)
    return status


def storage(java: str, classpath: list[str], config: Path) -> bool:
    """Format the data folder for a new single-node cluster."""
    tool = [java, "-Xmx128m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", *classpath]
    format_ = ["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", str(config)]
    return subprocess.run(tool + format_, stdout=subprocess.DEVNULL).returncode == 0


def java_stamp(java: str) -> str:
    """Return a name of this Java installation: a class archive of another one is of no use."""
    binary = Path(java).resolve()
    return f"classes-{binary.parent.parent.name}-{int(binary.stat().st_mtime)}"


def die_with_parent() -> None:
    """Ask Linux to end the broker when this script is killed, so that no orphan keeps the port."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def serve(broker: subprocess.Popen[bytes], port: int, data: Path) -> int:
    """Forward TERM and INT, announce readiness, and return the status of a finished broker."""
    stopping = False

    def stop(_signum: int, _frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True
        broker.terminate()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    deadline = time.monotonic() + 60
    while broker.poll() is None and not stopping and not answers(port):
        if time.monotonic() > deadline:
            broker.kill()
            return fail(f"no answer on port {port} within 60 s: see {data}/server.log")
        time.sleep(0.05)
    if broker.poll() is None and not stopping:
        print(f"Kafka is ready: 127.0.0.1:{port}", flush=True)
    status = broker.wait()
    return 0 if stopping else fail(f"ended with status {status}: see {data}/server.log")


def answers(port: int) -> bool:
    """Return whether the broker lists itself in its answer to a Metadata request (version 1)."""
    request = struct.pack(">hhihi", 3, 1, 1, -1, 0)
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as link:
            link.settimeout(2)
            link.sendall(struct.pack(">i", len(request)) + request)
            answer = link.recv(12, socket.MSG_WAITALL)
    except OSError:
        return False
    return len(answer) == 12 and struct.unpack(">iii", answer)[2] > 0


if __name__ == "__main__":
    sys.exit(main())
