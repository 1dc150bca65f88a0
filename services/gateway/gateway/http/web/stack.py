"""The outer middleware of an app: HEAD, compression, prefix, calls of pages of other origins."""

from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware

from gateway.http.ports import Part
from gateway.http.web.cross_origin import CrossOriginMiddleware
from gateway.http.web.methods import HeadMiddleware
from gateway.http.web.root_path import RootPathMiddleware, refuse_own_path
from marquee.access.scopes import GRANTED, Scope
from marquee.errors import SettingsError
from marquee.settings import Settings, split_list

GZIP_BYTES = 4000
"""Size from which answers are compressed: below it they fit into three packets, and compressing
takes as long as all else that the gateway does for a list from its cache."""
GZIP_LEVEL = 4
"""Level 9 takes four times as long and saves a tenth more."""


def add_web_middleware(app: FastAPI, settings: Settings, part: Part) -> None:
    """Add the outer middleware, the innermost first.

    Args:
        app: An app with all its routes and inner middleware.
        settings: Origins, scopes and prefix.
        part: What it answers; that of operators is opened to pages only where that is said.

    Raises:
        SettingsError: A scope is none, or the prefix is the beginning of an address of the API.
    """
    routes, opened = app.router.routes, opened_scopes(settings.cors_scopes)
    origins = split_list(settings.cors_origins)
    if origins and (part is not Part.OPERATE or Scope.OPERATE in opened):
        app.add_middleware(CrossOriginMiddleware, routes=routes, origins=origins, opened=opened)
    if root_path := settings.root_path:
        refuse_own_path(root_path, (getattr(route, "path", "") for route in routes))
        app.add_middleware(RootPathMiddleware, root_path=root_path)
    app.add_middleware(GZipMiddleware, minimum_size=GZIP_BYTES, compresslevel=GZIP_LEVEL)
    app.add_middleware(HeadMiddleware)


def opened_scopes(setting: str) -> list[Scope]:
    """Return the scopes whose calls pages of other origins may make.

    Raises:
        SettingsError: The setting names something else.
    """
    named = split_list(setting)
    if wrong := [name for name in named if name not in GRANTED]:
        raise SettingsError(
            f"MARQUEE_CORS_SCOPES: {wrong[0]} is no scope; there are {', '.join(GRANTED)}",
            "cors_scopes",
        )
    return [Scope(name) for name in named]
