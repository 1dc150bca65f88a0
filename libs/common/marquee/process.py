"""The processes of a service: choice of the role, checks at the start, and an orderly stop."""

import contextlib
import errno
import importlib
import os
import socket
import sys

import uvicorn
from fastapi import FastAPI

from marquee import telemetry
from marquee.domain.likes import use_likes
from marquee.errors import SettingsError
from marquee.ports import listen, refused
from marquee.requirements.start import check_start
from marquee.settings import Settings, read

DRAIN_SECONDS = 5
REFUSED = 2
"""Exit status for what an operator has to mend."""
FAILED_START = 3
"""Exit status of an app whose parts fail to start; its log has the reason."""


def run(app: str, consumer: str) -> None:
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
        check_start(settings)
        importlib.import_module(roles[role]).main(settings)
    except SettingsError as error:
        print(f"{service} {role}: {error}", file=sys.stderr)  # noqa: T201 - read by people
        sys.exit(REFUSED)


def serve(app: FastAPI, settings: Settings, package: str) -> None:
    """Answer HTTP until told to stop; requests under way are finished.

    Args:
        app: The app.
        settings: The process's settings.
        package: Package of the service, whose port is taken.

    Raises:
        SettingsError: The port is taken, or the host is not of this machine.
    """
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
    port, setting = settings.port_of(package), f"{package}_port"
    # Bound before the app starts, so that a taken port is told before it follows any stream.
    with listen(settings.host, port, setting) as bound:
        try:
            _run(uvicorn.Server(config), bound)
        except OSError as error:
            # Two processes may bind one port as long as neither listens.
            if error.errno != errno.EADDRINUSE:
                raise
            raise refused(settings.host, port, setting, error) from None


def _run(server: uvicorn.Server, bound: socket.socket) -> None:
    with contextlib.suppress(KeyboardInterrupt):
        server.run(sockets=[bound])
    if not server.started:
        sys.exit(FAILED_START)
