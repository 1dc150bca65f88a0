"""API keys: a random secret that a caller holds, of which only a digest is stored.

A key is `marquee_<id>_<secret>`: the prefix lets scanners of secrets find one that was published by
mistake, the id names the key in lists and logs, and the secret has 256 random bits. So a plain
SHA-256 of it is as hard to reverse as the secret is to guess, and no slow hash is needed.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, PlainValidator

from marquee.access.rates import Rate
from marquee.access.scopes import GRANTED, Scope
from marquee.errors import InvalidInput

PREFIX = "marquee_"
NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
"""The form of a key's name."""
_TEXT = re.compile(rf"{PREFIX}([0-9a-f]{{12}})_([A-Za-z0-9_-]{{43}})")


def _read_rate(value: Rate | str) -> Rate:
    return Rate.parse(value) if isinstance(value, str) else value


_Rate = Annotated[Rate, PlainValidator(_read_rate), PlainSerializer(str)]


class ApiKey(BaseModel):
    """A key as it is stored: all but its secret. Times are UTC; None: never, or no limit."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: Annotated[str, Field(pattern=NAME)]
    scopes: tuple[Scope, ...]
    digest: str
    """SHA-256 of the secret, in hexadecimal."""
    rate: _Rate | None = None
    created: datetime
    expires: datetime | None = None
    revoked: datetime | None = None

    def has_secret(self, secret: str) -> bool:
        """Return whether a secret is the key's; compared in constant time."""
        return hmac.compare_digest(self.digest, _digest(secret))

    def refusal(self, now: datetime) -> str | None:
        """Return why the key is not valid at a time, None if it is."""
        if self.revoked is not None and self.revoked <= now:
            return "revoked"
        if self.expires is not None and self.expires <= now:
            return "expired"
        return None


def create_key(
    name: str, scopes: Iterable[Scope], lifetime: timedelta | None = None, rate: Rate | None = None
) -> tuple[ApiKey, str]:
    """Return a new key and its text, which is nowhere else.

    Args:
        name: Who uses it, in letters, digits, `.`, `_` and `-`.
        scopes: What it allows.
        lifetime: How long it is valid; None: until it is revoked.
        rate: Its limit; None: none.

    Raises:
        InvalidInput: The name or a scope is wrong.
    """
    if not re.fullmatch(NAME, name):
        raise InvalidInput(
            f"name: {name!r} is not 1 to 64 letters, digits, . _ or -, led by a letter or digit"
        )
    granted = tuple(scope for scope in GRANTED if scope in set(scopes))
    if not granted:
        raise InvalidInput(f"scope: name at least one of {', '.join(GRANTED)}")
    now, secret = datetime.now(UTC), secrets.token_urlsafe(32)
    key = ApiKey(
        id=secrets.token_hex(6),
        name=name,
        scopes=granted,
        digest=_digest(secret),
        rate=rate,
        created=now,
        expires=None if lifetime is None else now + lifetime,
    )
    return key, f"{PREFIX}{key.id}_{secret}"


def parse_scopes(text: str) -> tuple[Scope, ...]:
    """Return the scopes of a text such as `read,write`.

    Raises:
        InvalidInput: One is unknown.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in GRANTED:
            raise InvalidInput(f"scope: {name!r} is none of {', '.join(GRANTED)}")
    return tuple(Scope(name) for name in names)


def split_key(text: str) -> tuple[str, str] | None:
    """Return the id and the secret of a key's text, None where it is none."""
    found = _TEXT.fullmatch(text)
    return None if found is None else (found[1], found[2])


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
