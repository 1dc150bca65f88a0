"""Addresses of servers as settings give them: what is wrong with one, and how to write it.

No text repeats a part of an address of Redis: where a password is not encoded, any part may be
a piece of it.
"""

import re
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import SplitResult, quote, urlencode, urlsplit, urlunsplit

REDIS_FORM = "redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE], with rediss:// for TLS"
ENCODING = (
    "in a password write / as %2F, ? as %3F, # as %23, @ as %40, % as %25, [ as %5B and ] as %5D"
)

_UNPRINTABLE = re.compile(r"[\s\x00-\x1f\x7f]")
_DATABASE = re.compile(r"/?|/\d+")
_SERVER = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):(\d{1,5})")
_MAX_PORT = 65_535


def redis_url_fault(url: str) -> str | None:
    """Return what is wrong with the address of a Redis server, None if nothing.

    An `@` within a password, and a `%` that no two hexadecimal digits follow, are taken as they
    are: there is one way to read them.
    """
    scheme, separator, _ = url.partition("://")
    if not separator:
        return f"it has no scheme; write {REDIS_FORM}"
    if scheme not in ("redis", "rediss"):
        return f"its scheme is neither redis:// nor rediss://; write {REDIS_FORM}"
    if _UNPRINTABLE.search(url):
        return "it has a space or a line break; write a space of a password as %20"
    try:
        return _part_fault(urlsplit(url))
    except ValueError:
        return f"no host and port can be read from it; {ENCODING}, and a port as 1 to {_MAX_PORT}"


def _part_fault(parts: SplitResult) -> str | None:
    """Return what is wrong with the parts of an address.

    Raises:
        ValueError: The port is no number of a port.
    """
    if "@" in f"{parts.path}{parts.query}{parts.fragment}":
        return f"the password has a / ? or # that is not encoded; {ENCODING}"
    if parts.fragment:
        return f"it has a #, which no address of Redis has; {ENCODING}"
    if not _DATABASE.fullmatch(parts.path):
        return f"what follows the host is no number of a database; write {REDIS_FORM}"
    if parts.port == 0:
        return f"its port is 0; write a port as 1 to {_MAX_PORT}"
    return None


@dataclass(frozen=True)
class RedisAccess:
    """What a process shows to Redis, and by what it knows the server, beside the address.

    Attributes:
        user: Name of the user; empty: that of the address, or the default user.
        password: Its password; empty: that of the address.
        ca: Certificates of the authorities that may have signed the server's; None: the system's.
        certificate: The process's own certificate, for a server that asks for one.
        key: Its private key; None: it is in the file of the certificate.
    """

    user: str = ""
    password: str = ""
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    @property
    def files(self) -> dict[str, Path]:
        """The files that are given, by the name of their setting."""
        files = {
            "redis_ca": self.ca,
            "redis_certificate": self.certificate,
            "redis_key": self.key,
        }
        return {name: path for name, path in files.items() if path is not None}


_TLS_OPTIONS = {
    "redis_ca": "ssl_ca_certs",
    "redis_certificate": "ssl_certfile",
    "redis_key": "ssl_keyfile",
}
"""Options after the ? of an address by which the client takes files of TLS."""


def redis_address(url: str, access: RedisAccess) -> str:
    """Return the address of a Redis server with user, password and files of TLS; a secret.

    Args:
        url: A valid address without them (`redis_access_fault`).
        access: What is added.
    """
    parts = urlsplit(url)
    place = parts.netloc
    if access.password:
        host = place.rpartition("@")[2]
        place = f"{quote(access.user, safe='')}:{quote(access.password, safe='')}@{host}"
    options = {_TLS_OPTIONS[name]: str(path) for name, path in access.files.items()}
    query = "&".join(filter(None, (parts.query, urlencode(options))))
    return urlunsplit((parts.scheme, place, parts.path, query, ""))


def redis_access_fault(url: str, access: RedisAccess) -> tuple[str, str] | None:
    """Return the setting that contradicts the address or another one, and why; None if none does.

    Args:
        url: A valid address of a Redis server.
        access: What the settings give beside it.
    """
    if access.user and not access.password:
        return "redis_user", "it needs MARQUEE_REDIS_PASSWORD, or MARQUEE_REDIS_PASSWORD_FILE"
    if access.password and "@" in urlsplit(url).netloc:
        text = "MARQUEE_REDIS_URL has a password too; leave USER:PASSWORD@ out of the address"
        return "redis_password", text
    if access.key and not access.certificate:
        return "redis_key", "it needs MARQUEE_REDIS_CERTIFICATE, whose key it is"
    for name, path in access.files.items():
        if not url.startswith("rediss://"):
            return name, "MARQUEE_REDIS_URL begins with redis://; write rediss:// for TLS"
        try:
            path.open("rb").close()
        except OSError as error:
            return name, f"{path}: {error.strerror}"
    return None


def kafka_servers_fault(servers: str) -> str | None:
    """Return what is wrong with a list of brokers, None if nothing."""
    for server in servers.split(","):
        match = _SERVER.fullmatch(server)
        if match is None or not 1 <= int(match[1]) <= _MAX_PORT:
            return f"{server!r} is no HOST:PORT; write HOST:PORT[,HOST:PORT], without a scheme"
    return None


def http_url_fault(url: str) -> str | None:
    """Return what is wrong with the address of an app, None if nothing."""
    try:
        parts = urlsplit(url)
        is_right = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        is_right = False
    return None if is_right else f"{url!r} is no address of an app; write http://HOST:PORT"


def is_loopback(host: str | None) -> bool:
    """Return whether a host is this machine by its loopback address."""
    if host in ("localhost", ""):
        return host == "localhost"
    try:
        return ip_address(host or "").is_loopback
    except ValueError:
        return False


def host_of(url: str) -> str | None:
    """Return the host of an address, None if it names none."""
    return urlsplit(url).hostname
