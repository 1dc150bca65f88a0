"""Limits of what comes from outside, in one place for requests, events and files.

Limits of one field stand with its type (`marquee.domain`, `marquee.events.payloads`); these are of
the forms that carry fields.
"""

from typing import Final

READ_S: Final = 10.0
"""Seconds in which a whole request, head and body, must arrive, from its first byte."""
MAX_ADDRESS_BYTES: Final = 64_000
"""Bytes of a request's address with its query: 1,000 ids of 60 characters go into it."""
MAX_PARAMETERS: Final = 4000
"""Query parameters of a request."""
MAX_HEADERS: Final = 100
"""Headers of a request, trailers among them."""
MAX_HEADER_BYTES: Final = 32_000
"""Bytes of all headers of a request."""
MAX_BODY_BYTES: Final = 1_000_000
"""Bytes of a request's body, and of a message on the bus."""
MAX_LIST: Final = 1000
"""Entries of a list in a request or an event, where its field names no other number."""
MAX_DEPTH: Final = 200
"""Objects and lists within each other in a JSON document: those of the parser of pydantic."""
