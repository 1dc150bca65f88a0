"""The page of causes and calls is that of the cells which the integration tests compare."""

from marquee_testing.causes import table
from marquee_testing.causes.kafka_states import CAUSES as KAFKA_CAUSES
from marquee_testing.causes.redis_states import CAUSES as REDIS_CAUSES
from marquee_testing.causes.services import WAYS


def test_the_page_is_current() -> None:
    assert table.PAGE.read_text() == table.page(), "run: make causes"


def test_each_cause_has_a_column_and_none_is_left_over() -> None:
    cells = table.load()
    assert cells["redis"].keys() == {cause.name for cause in REDIS_CAUSES}
    assert cells["kafka"].keys() == {cause.name for cause in KAFKA_CAUSES}
    assert cells["services"].keys() == WAYS.keys()


def test_no_cell_is_a_failure() -> None:
    cells = {
        cell
        for causes in table.load().values()
        for column in causes.values()
        for cell in column["calls"].values()
    }
    assert {cell.split()[0] for cell in cells} <= {"200", "accepted", "503"}
