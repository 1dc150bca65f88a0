"""Run one Kafka broker for development, in the foreground: `broker.py --port N --data DIR`."""

import argparse
import ctypes
import hashlib
import os
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

HERE = Path(__file__).resolve().parent
LIB = HERE / "lib"
CLUSTER_ID = "TWFycXVlZURldktyYWZ0MQ"
PROTOCOLS = "listener.security.protocol.map"
JVM = ["-Xmx256m", "-Xms64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]


def main() -> int:
    """Parse the command line, run the broker, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=9092, help="0 takes a free one")
    parser.add_argument("--advertised", type=int, help="port that clients are told, of a proxy")
    parser.add_argument("--data", type=Path, default=Path("var/kafka"))
    parser.add_argument(
        "--secure",
        type=Path,
        help="folder of certificates.py and the file admin.password: clients log in, over TLS",
    )
    parser.add_argument(
        "--also",
        action="append",
        default=[],
        metavar="NAME:PORT",
        help="another listener like CLIENT, which --set makes different",
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a property of the broker"
    )
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
    ports = {"port": port, "advertised": args.advertised or port, "controller": free_port()}
    data = args.data.resolve()
    if args.secure is None:
        properties = plain_properties(ports, data) | parse("\n".join(args.set))
        return run(java, Broker(data, properties, port))
    return run(java, secure_broker(ports, data, args.secure.resolve(), args.also, args.set))


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


@dataclass(frozen=True)
class Broker:
    """A broker to run.

    Attributes:
        data: its folder.
        properties: its settings.
        port: where clients find it.
        asked_at: the port that is asked whether it is ready.
        secure: the folder with its certificates; None: it speaks plain text.
    """

    data: Path
    properties: dict[str, str]
    port: int
    asked_at: int = 0
    secure: Path | None = None

    def format_arguments(self) -> list[str]:
        """Return what `kafka-storage format` needs besides the properties: the first user."""
        if self.secure is None:
            return []
        password = (self.secure / "admin.password").read_text().strip()
        return ["--add-scram", f"SCRAM-SHA-512=[name=admin,password={password}]"]

    def answers(self) -> bool:
        """Return whether the broker lists itself in its answer to a Metadata request."""
        return answers(self.asked_at or self.port, self.secure)


def text(name: str) -> str:
    """Return the text of a file of properties beside this script."""
    return (HERE / f"{name}.properties").read_text()


def parse(properties: str) -> dict[str, str]:
    """Return the settings of a file of properties."""
    lines = (line.strip() for line in properties.splitlines())
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def plain_properties(ports: dict[str, int], data: Path) -> dict[str, str]:
    """Return the settings of a broker that speaks plain text; clients go to the advertised port."""
    return parse(text("plain").format(**ports, data=data)) | parse(text("local"))


def secure_broker(
    ports: dict[str, int], data: Path, secure: Path, also: list[str], extra: list[str]
) -> Broker:
    """Return a broker by secure/server.properties, on the loopback address."""
    internal, others = free_port(), dict(one.split(":") for one in also)
    clients = {"CLIENT": str(ports["port"])} | others
    shown = clients | {"CLIENT": str(ports["advertised"]), "INTERNAL": str(internal)}
    all_ = clients | {"INTERNAL": str(internal), "CONTROLLER": str(ports["controller"])}
    properties = parse(text("secure/server"))
    protocols = "".join(f",{name}:SASL_SSL" for name in others)
    properties |= {
        "controller.quorum.voters": f"1@127.0.0.1:{ports['controller']}",
        "listeners": addresses(all_),
        "advertised.listeners": addresses(shown),
        PROTOCOLS: properties[PROTOCOLS] + protocols,
        "ssl.keystore.location": str(secure / "broker.pem"),
        "ssl.truststore.location": str(secure / "ca.pem"),
        "log.dirs": str(data / "log"),
        **parse(text("local")),
    }
    for name in others:
        own, client = f"listener.name.{name.lower()}.", "listener.name.client."
        properties |= {
            own + key.removeprefix(client): value
            for key, value in properties.items()
            if key.startswith(client)
        }
    return Broker(data, properties | parse("\n".join(extra)), ports["port"], internal, secure)


def addresses(ports: dict[str, str]) -> str:
    """Return listeners on the loopback address, by name and port."""
    return ",".join(f"{name}://127.0.0.1:{port}" for name, port in ports.items())


def run(java: str, broker: Broker) -> int:
    """Start the broker, print when it answers, and wait for its end."""
    data, config = broker.data, broker.data / "server.properties"
    data.mkdir(parents=True, exist_ok=True)
    config.write_text("".join(f"{name}={value}\n" for name, value in broker.properties.items()))
    # The class archive wants the same jars in the same order at each start.
    classpath = ["-cp", ":".join(str(jar) for jar in sorted(LIB.glob("*.jar")))]
    is_new = not (data / "log" / "meta.properties").exists()
    if is_new and not storage(java, classpath, config, broker.format_arguments()):
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
    process = subprocess.Popen(command, preexec_fn=die_with_parent)
    status = serve(process, broker)
    if partial.exists():
        partial.replace(archive)
    return status


def storage(java: str, classpath: list[str], config: Path, extra: list[str]) -> bool:
    """Format the data folder for a new single-node cluster."""
    tool = [
        java,
        "-Xmx128m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
        *classpath,
    ]
    format_ = ["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", str(config), *extra]
    return subprocess.run(tool + format_, stdout=subprocess.DEVNULL).returncode == 0


def java_stamp(java: str) -> str:
    """Return a name of this Java installation: a class archive of another one is of no use."""
    binary = Path(java).resolve()
    return f"classes-{binary.parent.parent.name}-{int(binary.stat().st_mtime)}"


def die_with_parent() -> None:
    """Ask Linux to end the broker when this script is killed, so that no orphan keeps the port."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def serve(process: subprocess.Popen[bytes], broker: Broker) -> int:
    """Forward TERM and INT, announce readiness, and return the status of a finished broker."""
    stopping = False

    def stop(_signum: int, _frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True
        process.terminate()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    log, deadline = broker.data / "server.log", time.monotonic() + 60
    while process.poll() is None and not stopping and not broker.answers():
        if time.monotonic() > deadline:
            process.kill()
            return fail(f"no answer on port {broker.port} within 60 s: see {log}")
        time.sleep(0.05)
    if process.poll() is None and not stopping:
        print(f"Kafka is ready: 127.0.0.1:{broker.port}", flush=True)
    status = process.wait()
    return 0 if stopping else fail(f"ended with status {status}: see {log}")


def answers(port: int, secure: Path | None = None) -> bool:
    """Return whether a broker lists itself in its answer to a Metadata request (version 1)."""
    request = struct.pack(">hhihi", 3, 1, 1, -1, 0)
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as link:
            link.settimeout(2)
            with link if secure is None else encrypted(link, secure) as spoken:
                spoken.sendall(struct.pack(">i", len(request)) + request)
                answer = spoken.recv(12, 0 if secure else socket.MSG_WAITALL)
    except OSError:
        return False
    return len(answer) == 12 and struct.unpack(">iii", answer)[2] > 0


def encrypted(link: socket.socket, secure: Path) -> ssl.SSLSocket:
    """Return a connection over TLS that shows the broker's own certificate."""
    context = ssl.create_default_context(cafile=secure / "ca.pem")
    context.load_cert_chain(secure / "broker.pem")
    # Whom it reaches is this machine; the names in the certificate are the clients' concern.
    context.check_hostname = False
    return context.wrap_socket(link)


if __name__ == "__main__":
    sys.exit(main())
