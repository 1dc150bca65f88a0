"""The client with all calls."""

from marquee_client.aio.catalogue import AsyncCatalogue
from marquee_client.aio.following import AsyncFollowing
from marquee_client.aio.lists import AsyncLists
from marquee_client.aio.viewers import AsyncViewers


class AsyncMarquee(AsyncLists, AsyncFollowing, AsyncViewers, AsyncCatalogue):
    """Client of a gateway: `async with AsyncMarquee(url, key=...) as marquee`.

    Every call raises `MarqueeError`: `Refused`, with its kinds, where the gateway says why, and
    `NoAnswer` where nothing came. Viewers' reads follow their last write through this client.
    """
