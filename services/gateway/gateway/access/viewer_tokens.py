"""Tokens for one viewer: signed (JWT, RFC 7519), short-lived, so that a page may call by itself.

The first secret of the setting signs, all of them verify: a new one is put in front, and the old
one is taken out once the last token signed by it has ended.
"""

import time
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import jwt

from marquee.domain.ids import id_text, parse_id_text
from marquee.errors import Unauthorized

ALGORITHM: Final = "HS256"
AUDIENCE: Final = "marquee-viewer"
MAX_SECONDS: Final = 24 * 3600
MIN_SECRET: Final = 32
"""Characters of a secret, at least: HS256 wants 256 bits (RFC 7518, section 3.2)."""
_CACHED = 4096


class ViewerTokens:
    """Signs and verifies tokens by secrets, newest first."""

    def __init__(self, secrets: Sequence[str]) -> None:
        self._secrets = tuple(secrets)
        # A page sends one token many times; what does not change about it is verified once.
        self._verified = lru_cache(_CACHED)(self._verify)

    def __bool__(self) -> bool:
        return bool(self._secrets)

    def sign(self, user_id: int, seconds: int) -> str:
        """Return a token for a viewer that ends after so many seconds."""
        now = int(time.time())
        claims = {"sub": id_text(user_id), "aud": AUDIENCE, "iat": now, "exp": now + seconds}
        return jwt.encode(claims, self._secrets[0], ALGORITHM)

    def viewer_of(self, token: str) -> int:
        """Return the viewer of a token.

        Raises:
            Unauthorized: It is not signed by any of the secrets, or has ended.
        """
        user_id, ends = self._verified(token)
        if ends <= time.time():
            raise Unauthorized("the token has ended: ask for a new one")
        return user_id

    def _verify(self, token: str) -> tuple[int, float]:
        """Return the viewer and the end of a token, in seconds since 1970."""
        for secret in self._secrets:
            try:
                claims = jwt.decode(
                    token,
                    secret,
                    [ALGORITHM],
                    audience=AUDIENCE,
                    options={"require": ["sub", "exp", "aud"], "verify_exp": False},
                )
                return parse_id_text(claims["sub"]), _end(claims["exp"])
            except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
                # What a library says of a forged token is no answer for who forged it.
                continue
        raise Unauthorized("the token is not valid: ask for a new one")


def _end(value: object) -> int:
    """Return the end of a token in seconds since 1970.

    Raises:
        ValueError: It is no whole number of seconds.
    """
    if type(value) is not int or not 0 <= value < 2**53:
        raise ValueError(value)
    return value
