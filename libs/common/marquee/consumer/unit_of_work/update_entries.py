"""Entries of a partition's update stream: the changed values, for the services' apps."""

from collections.abc import Iterator, Mapping, Sequence

from marquee.store.api import Command

MAX_UPDATES = 10_000
"""Approximate length of an update stream; an app that falls behind reads all rows again."""

ENTRY_VALUES = 1000
"""Values of one entry; larger updates take several, as Lua cannot pass on 8,000 arguments."""


def update_entries(
    key: str, head: Sequence[bytes | str | int | float], values: Mapping[str, bytes]
) -> Iterator[Command]:
    """Yield the commands that append changed values to an update stream, at least one.

    Args:
        key: The key of the stream.
        head: Names and values that lead each entry, such as the positions it goes from and to.
        values: The changed values by name.
    """
    items = list(values.items())
    for at in range(0, max(1, len(items)), ENTRY_VALUES):
        entry = [part for item in items[at : at + ENTRY_VALUES] for part in item]
        yield ("XADD", key, "MAXLEN", "~", MAX_UPDATES, "*", *head, *entry)
