"""Encodings by name: which are of text, and which have more than a byte in each letter."""

import codecs

_WIDE = ("utf-16", "utf-32")


def is_text_codec(encoding: str) -> bool:
    """Return whether a name is that of an encoding of text."""
    try:
        b"text".decode(encoding, "replace")
    except UnicodeError:  # it has rules that these bytes break
        return True
    except (LookupError, ValueError):  # as hex, which makes bytes of text, or a zero in the name
        return False
    return True


def is_wide(encoding: str | None) -> bool:
    """Return whether each letter of an encoding has two or four bytes, however it is written."""
    return encoding is not None and codecs.lookup(encoding).name.startswith(_WIDE)
