# Made by `make clients` from marquee_client/aio; do not edit.
"""Sending of calls: retries, tokens of writes, pages, refusals."""

import time
import uuid
from collections.abc import Iterator, Mapping
from typing import Any, Self, TypeVar, cast

import httpx
from pydantic import BaseModel, ValidationError

from marquee_client.errors import UnreadableAnswer, failure_of, refusal_of
from marquee_client.kept_answers import KeptAnswers
from marquee_client.operation import Call, Page
from marquee_client.retries import RETRIED_STATUSES, Attempts, Retries
from marquee_client.retry_after import retry_after_s
from marquee_client.write_tokens import WriteTokens

Answer = TypeVar("Answer", bound=BaseModel)
DEFAULT_TIMEOUT = httpx.Timeout(15.0, connect=3.0)
"""Seconds: a read may wait ten for a write."""
_USER_AGENT = {"User-Agent": "marquee-client-python", "Accept": "application/json"}


class Transport:
    """Connection to a gateway."""

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        retries: Retries | None = None,
        timeout: float | httpx.Timeout = DEFAULT_TIMEOUT,
        write_tokens: WriteTokens | None = None,
        kept_answers: int = 0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Prepare a client; nothing connects before the first call.

        Args:
            url: Address of the gateway, with its prefix if it has one.
            key: Key of the caller, or token of a viewer.
            retries: Rule of retries; `Retries(attempts=1)`: none.
            timeout: Seconds until a try fails, or the time limits of its parts.
            write_tokens: Where viewers' last writes are remembered; by default those of 10,000
                viewers, for a minute. `WriteTokens(0, 0)` remembers none.
            kept_answers: How many answers of reads are kept, so that the gateway need not send
                those again that still hold; by default none.
            transport: What sends requests, instead of connections of its own.

        Raises:
            ValueError: The address is not one of HTTP.
        """
        address = httpx.URL(url)
        if address.scheme not in {"http", "https"} or not address.host:
            raise ValueError(f"url: {url!r} must begin with http:// or https:// and name a host")
        headers = dict(_USER_AGENT)
        if key is not None:
            headers["Authorization"] = f"Bearer {key}"
        self._tokens = WriteTokens(10_000, 60.0) if write_tokens is None else write_tokens
        self._kept = KeptAnswers(kept_answers)
        self._retries = retries or Retries()
        self._http = httpx.Client(
            base_url=address, headers=headers, timeout=timeout, transport=transport
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _send(self, call: Call[Answer]) -> Answer:
        """Make a call.

        Raises:
            MarqueeError: It is refused, has no answer, or one that is not of this API.
        """
        kept = self._kept.get(call.asked)
        response = self._response(call, kept and kept[0])
        if response.status_code == 304 and kept is not None:
            return cast(Answer, kept[1])
        if not response.is_success:
            raise refusal_of(response)
        try:
            answer = call.operation.answer.model_validate_json(response.content)
        except ValidationError as error:
            raise UnreadableAnswer(f"{call.operation.name}: {error}") from error
        tag = response.headers.get("ETag")
        if tag is not None and call.operation.method == "GET":
            self._kept.keep(call.asked, tag, answer)
        token = getattr(answer, "token", None)
        if token is not None:
            for viewer in call.writers:
                self._tokens.remember(viewer, token)
        return answer

    def _pages(self, call: Call[Answer]) -> Iterator[Answer]:
        """Yield the page of a call, and those that follow."""
        while True:
            page = self._send(call)
            yield page
            cursor = page.next_cursor if isinstance(page, Page) else None
            if cursor is None:
                return
            call = call.at(cursor)

    def _response(self, call: Call[Answer], tag: str | None) -> httpx.Response:
        """Send a request until it has an answer that is not to be asked for again.

        Args:
            call: What is asked.
            tag: Entity tag of the answer that is kept, if there is one.
        """
        attempts = Attempts(self._retries, call.operation.repeatable)
        query, headers = call.parameters(self._tokens), _headers_of(call, tag)
        while True:
            try:
                response = self._http.request(
                    call.operation.method,
                    call.address,
                    params=query,
                    json=call.body,
                    headers=headers,
                )
            except httpx.TransportError as error:
                pause = attempts.pause()
                if pause is None:
                    raise failure_of(error) from error
            else:
                if response.status_code not in RETRIED_STATUSES:
                    return response
                pause = attempts.pause(retry_after_s(response.headers.get("Retry-After")))
                if pause is None:
                    return response
            time.sleep(pause)


def _headers_of(call: Call[Any], tag: str | None) -> Mapping[str, str]:
    """Return the headers of a call: all its tries have the same key, so one takes effect."""
    if tag is not None:
        return {"If-None-Match": tag}
    if not call.operation.takes_key:
        return {}
    return {"Idempotency-Key": call.key or uuid.uuid4().hex}
