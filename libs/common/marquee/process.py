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
from marquee.domain.likes import use_likes
from marquee.errors import SettingsError
from marquee.http_protocol import ProblemProtocol
from marquee.http_server.connections import Connections
from marquee.http_server.draining import Draining, DrainingServer
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


def run(app: str, consumer: str, *, app_uses_bus: bool = False) -> None:
    """Run the role that the command line names: `app` or `consumer`, each given as a module.

    Only the module of that role is imported; its `main` gets the settings. A setting or a server
    with which the process must not work ends it with status 2 and one line.
    """
    roles = {"app": app, "consumer": consumer}
    role = sys.argv[1] if len(sys.argv) == 2 else ""
    if role not in roles:
        sys.exit(f"usage: {os.path.basename(sys.argv[0])} app|consumer")
    service = roles[role].partition(".")[0].replace("_", "-")
    try:
        settings = read(os.environ)
        use_likes(settings.likes)
        telemetry.configure_logging(f"{service} {role}", settings.log_level)
        uses_bus = role == "consumer" or app_uses_bus
        check_start(settings, f"{service}-{role}", uses_bus=uses_bus)
        importlib.import_module(roles[role]).main(settings)
    except SettingsError as error:
        print(f"{service} {role}: {error}", file=sys.stderr)  # noqa: T201 - read by people
        sys.exit(REFUSED)


def serve(
    app: ASGIApp, settings: Settings, package: str, *more_ports: str, root_path: str = ""
) -> None:
    """Answer HTTP until told to stop, then drain: see `marquee.http_server.draining`.

    Args:
        app: The app.
        settings: The process's settings.
        package: Package of the service, whose port is taken.
        more_ports: Settings of further ports to answer on.
        root_path: Prefix under which a proxy has the app.

    Raises:
        SettingsError: The port is taken, or the host is not of this machine.
    """
    draining = Draining(app, root_path)
    connections = Connections(settings.max_connections)
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
    names = (f"{package}_port", *more_ports)
    make_room_for_connections()
    with contextlib.ExitStack() as stack:
        # Bound before the app starts, so that a taken port is told before it follows any stream.
        bound = [
            stack.enter_context(listen(settings.host, getattr(settings, name), name))
            for name in names
        ]
        try:
            _run(DrainingServer(config, draining, settings.drain_s), bound)
        except OSError as error:
            # Two processes may bind one port as long as neither listens.
            if error.errno != errno.EADDRINUSE:
                raise
            name = names[0]
            raise refused(settings.host, getattr(settings, name), name, error) from None


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
