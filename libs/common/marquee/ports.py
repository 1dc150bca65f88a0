"""Ports of this machine's processes: one line for a port that cannot be had."""

import errno
import socket

from marquee.errors import SettingsError

_REASONS = {
    errno.EADDRINUSE: "is taken: end the process that listens there, or set another port",
    errno.EADDRNOTAVAIL: "is not of this machine: set MARQUEE_HOST to an address that it has",
    errno.EACCES: "is not allowed to this user: set a port from 1024 on",
}


def listen(host: str, port: int, setting: str) -> socket.socket:
    """Return a socket bound to an address; it takes connections once a server runs on it.

    Args:
        host: Name or address of this machine.
        port: The port; 0: any that is free.
        setting: Name of the setting that gives the port, such as `gateway_port`.

    Raises:
        SettingsError: It cannot be bound; the text names the setting, the reason and the remedy.
    """
    try:
        found = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except socket.gaierror as error:
        text = f"MARQUEE_HOST: {host}: {error.strerror}; set it to an address of this machine"
        raise SettingsError(text, "host") from None
    # Of a name with addresses of both kinds the one that the default addresses of apps have.
    family, kind, protocol, _, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    bound = socket.socket(family, kind, protocol)
    # A port of a process that has just ended can be had at once.
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind(address)
    except OSError as error:
        bound.close()
        raise refused(host, port, setting, error) from None
    return bound


def refused(host: str, port: int, setting: str, error: OSError) -> SettingsError:
    """Return the error for an address that cannot be had, from that of the system."""
    reason = _REASONS.get(error.errno or 0, f"cannot be had: {error.strerror}")
    return SettingsError(f"MARQUEE_{setting.upper()}: {host}:{port} {reason}", setting)
