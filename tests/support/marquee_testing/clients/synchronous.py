"""The synchronous client, made from the asynchronous one word by word."""

import re

_WORDS = (
    (r"\basync (?=def|with|for)", ""),
    (r"\bawait ", ""),
    (r"\bAsyncIterator\b", "Iterator"),
    (r"\bAsyncGenerator\[([\w.]+), None\]", r"Generator[\1, None, None]"),
    (r"\bAsyncGenerator\b", "Generator"),
    (r"\b__aenter__\b", "__enter__"),
    (r"\b__aexit__\b", "__exit__"),
    (r"\baclose\b", "close"),
    (r"\bimport asyncio\b", "import time"),
    (r"\basyncio\.sleep\b", "time.sleep"),
    (r"\bAbstractAsyncContextManager\b", "AbstractContextManager"),
    (r"\baread\b", "read"),
    (r"\baiter_bytes\b", "iter_bytes"),
    (r"\bAsyncClient\b", "Client"),
    (r"\bAsyncBaseTransport\b", "BaseTransport"),
    (r"\bAsync(?=Marquee|Lists|Following|Viewers|Catalogue|Transport)", ""),
    (r"\bmarquee_client\.aio\b", "marquee_client.sync"),
)
_HEAD = "# Made by `make clients` from marquee_client/aio; do not edit.\n"


def synchronous(source: str) -> str:
    """Return a module of the asynchronous client without its coroutines."""
    for word, instead in _WORDS:
        source = re.sub(word, instead, source)
    if "sync" in re.sub(r"marquee_client\.sync|synchronous", "", source):
        raise ValueError("a word of asyncio is left: add it to marquee_testing.clients.synchronous")
    return _HEAD + source
