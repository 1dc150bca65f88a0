"""The processes of a service: choice of the role, settings, and an orderly stop."""

import importlib
import os
import sys

import uvicorn
from fastapi import FastAPI

from marquee import telemetry
from marquee.domain.likes import use_likes
from marquee.errors import MarqueeError
from marquee.settings import Settings, read

DRAIN_SECONDS = 5


def run(app: str, consumer: str) -> None:
    """Run the role that the command line names: `app` or `consumer`, each given as a module.

    Only the module of that role is imported; its `main` gets the settings.
    """
    roles = {"app": app, "consumer": consumer}
    role = sys.argv[1] if len(sys.argv) == 2 else ""
    if role not in roles:
        sys.exit(f"usage: {os.path.basename(sys.argv[0])} app|consumer")
    try:
        settings = read(os.environ)
    except MarqueeError as error:
        print(error, file=sys.stderr)  # noqa: T201 - before logging is set up
        sys.exit(2)
    use_likes(settings.likes)
    service = roles[role].partition(".")[0].replace("_", "-")
    telemetry.configure_logging(f"{service} {role}", settings.log_level)
    importlib.import_module(roles[role]).main(settings)


def serve(app: FastAPI, settings: Settings, port: int) -> None:
    """Answer HTTP until told to stop; requests under way are finished."""
    uvicorn.run(
        app,
        host=settings.host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
