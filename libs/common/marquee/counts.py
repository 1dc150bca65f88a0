"""Counts of things in words: one event, 2,000 events."""


def counted(n: int, noun: str, plural: str = "") -> str:
    """Return a number and its noun, in the singular for one.

    Args:
        n: The number.
        noun: The noun in the singular.
        plural: In the plural; else it has an s.
    """
    return f"{n:,} {noun if n == 1 else plural or noun + 's'}"
