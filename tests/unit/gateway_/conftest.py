"""What several files begin with; a file's own fixture of a name takes its place."""

from collections.abc import AsyncIterator

import pytest

from gateway.app import create_app
from marquee_testing.fakes.gateway_api import ApiHarness, client_of, parts


@pytest.fixture
async def api() -> AsyncIterator[ApiHarness]:
    """The gateway's app over fakes."""
    context, live_view, profiles, models, publisher = parts()
    app = create_app(context)
    async with client_of(app) as client:
        yield ApiHarness(app, client, live_view, profiles, models, publisher)
