"""The processes of a service: choice of the role, checks at the start, and an orderly stop."""

import contextlib
import errno
import importlib
import os
import resource
import socket
import sys
from functools import partial

import uvicorn
from starlette.types import ASGIApp

from marquee import telemetry
from marquee.app_worker import this_worker
from marquee.domain.likes import use_likes
from marquee.errors import SettingsError
from marquee.http_protocol import ProblemProtocol
from marquee.http_server.connections import Connections
from marquee.http_server.draining import Draining, DrainingServer
from marquee.http_server.open_counts import OpenCount
from marquee.http_server.several_workers import supervise
from marquee.http_server.worker_server import WorkerServer
from marquee.ports import listen, refused
from marquee.requirements.start import check_start
from marquee.settings import Settings, read

FINISH_S = 20
"""Seconds that requests under way have to end: above the longest that one may take by itself."""
KEEP_ALIVE_S = 75
"""Seconds that an idle connection is kept: longer than proxies keep theirs (nginx: 60), so that it
is not closed while a proxy sends on it a write, which nobody may repeat."""
REFUSED = 2
"""Exit status for what an operator has to mend."""
FAILED_START = 3
"""Exit status of an app whose parts fail to start; its log has the reason."""


def run(
    app: str, consumer: str, *, app_uses_bus: bool = False, app_has_workers: bool = True
) -> None:
    """Run the role that the command line names: `app` or `consumer`, each given as a module.

    Only the module of that role is imported; its `main` gets the settings. A setting or a server
    with which the process must not work ends it with status 2 and one line. With several workers
    this process looks after them, and each of them runs the role.

    Args:
        app: Module of the app.
        consumer: Module of the consumer.
        app_uses_bus: Whether the app connects to the bus.
        app_has_workers: Whether several processes can be the app; else there is one, whatever
            the setting.
    """
    roles = {"app": app, "consumer": consumer}
    role = sys.argv[1] if len(sys.argv) == 2 else ""
    if role not in roles:
        sys.exit(f"usage: {os.path.basename(sys.argv[0])} app|consumer")
    package = roles[role].partition(".")[0]
    service, worker = package.replace("_", "-"), this_worker()
    try:
        settings = read(os.environ)
        use_likes(settings.likes)
        telemetry.configure_logging(f"{service} {role}", settings.log_level)
        if worker is None:
            uses_bus = role == "consumer" or app_uses_bus
            check_start(settings, f"{service}-{role}", uses_bus=uses_bus)
            if role == "app" and app_has_workers and settings.workers > 1:
                sys.exit(_run_workers(settings, package))
        else:
            worker.follow_parent()
        importlib.import_module(roles[role]).main(settings)
    except SettingsError as error:
        if worker is None or worker.is_to_tell():
            print(f"{service} {role}: {error}", file=sys.stderr)  # noqa: T201 - read by people
        sys.exit(REFUSED)


def serve(app: ASGIApp, settings: Settings, package: str, root_path: str = "") -> None:
    """Answer HTTP until told to stop, then drain: see `marquee.http_server.draining`.

    Args:
        app: The app.
        settings: The process's settings.
        package: Package of the service, whose ports are taken.
        root_path: Prefix under which a proxy has the app.

    Raises:
        SettingsError: A port is taken, or the host is not of this machine.
    """
    draining, worker = Draining(app, root_path), this_worker()
    count = None if worker is None else OpenCount(worker.counts_file, worker.number)
    connections = Connections(settings.max_connections, None if count is None else count.tell)
    config = uvicorn.Config(
        draining,
        http=partial(ProblemProtocol, connections=connections, links_under=root_path),  # type: ignore[arg-type]
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        # Nothing asks for the address of a caller or builds an absolute link: no header decides.
        proxy_headers=False,
        timeout_graceful_shutdown=FINISH_S,
        timeout_keep_alive=KEEP_ALIVE_S,
    )
    make_room_for_connections()
    with contextlib.ExitStack() as stack:
        if worker is None or count is None:
            server = DrainingServer(config, draining, settings.drain_s)
            # Bound before the app starts: a taken port is told before it follows any stream.
            bound = _bind(settings, package, stack)
        else:
            server = WorkerServer(config, draining, settings.drain_s, worker, connections, count)
            bound = [stack.enter_context(each) for each in worker.open_sockets()]
        try:
            _run(server, bound)
        except OSError as error:
            # Two processes may bind one port as long as neither listens.
            if error.errno != errno.EADDRINUSE:
                raise
            name = settings.ports_of(package)[0]
            raise refused(settings.host, getattr(settings, name), name, error) from None


def _run_workers(settings: Settings, package: str) -> int:
    """Look after the workers of an app until told to stop; return the status to end with."""
    with contextlib.ExitStack() as stack:
        bound = _bind(settings, package, stack)
        return supervise(bound, settings.workers)


def _bind(settings: Settings, package: str, stack: contextlib.ExitStack) -> list[socket.socket]:
    """Return the sockets of an app's ports, bound; the stack closes them.

    Raises:
        SettingsError: One cannot be had.
    """
    return [
        stack.enter_context(listen(settings.host, getattr(settings, name), name))
        for name in settings.ports_of(package)
    ]


def make_room_for_connections() -> None:
    """Let the process open as many files as the system allows it: connections are files."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _run(server: uvicorn.Server, bound: list[socket.socket]) -> None:
    with contextlib.suppress(KeyboardInterrupt):
        server.run(sockets=bound)
    if not server.started:
        sys.exit(FAILED_START)
