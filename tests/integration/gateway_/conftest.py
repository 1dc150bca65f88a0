"""What several files of gateway processes begin with."""

from collections.abc import Iterator

import pytest

from marquee_testing.servers.ranked_films import RankedFilms, ranked_films


@pytest.fixture(scope="module")
def ranked(redis_url: str) -> Iterator[RankedFilms]:
    """Films for the gateways of a file."""
    with ranked_films(redis_url) as made:
        yield made
