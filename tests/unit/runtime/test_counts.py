"""Counts in words."""

from hypothesis import given
from hypothesis import strategies as st

from marquee.counts import counted


@given(st.integers(0, 10**9))
def test_only_one_is_singular(n: int) -> None:
    assert counted(n, "event") == f"{n:,} event{'' if n == 1 else 's'}"
    assert counted(n, "film is", "films are") == f"{n:,} {'film is' if n == 1 else 'films are'}"
