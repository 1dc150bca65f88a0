# Made by `make clients` from marquee_client/aio; do not edit.
"""The client with all calls."""

from marquee_client.sync.catalogue import Catalogue
from marquee_client.sync.following import Following
from marquee_client.sync.lists import Lists
from marquee_client.sync.viewers import Viewers


class Marquee(Lists, Following, Viewers, Catalogue):
    """Client of a gateway: `with Marquee(url, key=...) as marquee`.

    Every call raises `MarqueeError`: `Refused`, with its kinds, where the gateway says why, and
    `NoAnswer` where nothing came. Viewers' reads follow their last write through this client.
    """
