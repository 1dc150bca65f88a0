"""What `make demo` says: each step before it is done, the open page before the training."""

from typing import Any

STEPS = (
    "[1/4] Environment",
    "[2/4] Import",
    "[3/4] Start",
    "The page can be opened",
    "You can ask for lists",
    "[4/4] Training",
    "Marquee is ready",
)


def test_each_step_is_named_in_order_and_the_page_is_open_before_the_training(system: Any) -> None:
    text = (system.state / "demo.txt").read_text()
    places = [text.find(step) for step in STEPS]
    assert -1 not in places, text
    assert places == sorted(places)
