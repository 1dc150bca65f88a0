"""Connections by TLS for looks at servers: each is closed where its handshake fails."""

import socket
import ssl


def connected_by_tls(
    context: ssl.SSLContext, address: tuple[str, int], timeout_s: float, host: str | None = None
) -> ssl.SSLSocket:
    """Return a connection after its handshake.

    The socket is wrapped before it is connected: one that is reset while it is wrapped stays open.

    Args:
        context: What is asked of the server, and shown to it.
        address: Host and port.
        timeout_s: Limit of each step, in seconds.
        host: The name that the server's certificate must have, if the context checks it.

    Raises:
        OSError: No address answers, or the handshake fails (`ssl.SSLError`).
    """
    failed = OSError(f"no address of {address[0]}")
    for family, kind, protocol, _, place in socket.getaddrinfo(*address, type=socket.SOCK_STREAM):
        link = context.wrap_socket(socket.socket(family, kind, protocol), server_hostname=host)
        try:
            link.settimeout(timeout_s)
            link.connect(place)
            return link
        except OSError as error:
            link.close()
            failed = error
    raise failed


def speaks_tls(address: tuple[str, int], timeout_s: float) -> bool:
    """Return whether a server answers by TLS, whatever its certificate.

    Args:
        address: Host and port.
        timeout_s: Limit of each step, in seconds.
    """
    try:
        connected_by_tls(unverified_context(), address, timeout_s).close()
        return True
    except ssl.SSLError as error:
        # An alert is TLS, too: the server may want a certificate of the client.
        return "ALERT" in str(error.reason)
    except OSError:
        return False


def unverified_context() -> ssl.SSLContext:
    """Return a context that takes any certificate: for probes, which send nothing secret."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context
