"""The answer to a recommend call: built by hand for speed, and still what the contract says."""

import orjson

from marquee.domain.recommendation import Reason, RecommendAnswer, Scored
from marquee.serving.app import recommend_answer


def test_the_answer_of_a_service_is_what_the_contract_describes():
    items = [
        Scored(260, 1.5, Reason.BECAUSE_YOU_LIKED, ((1196, 0.75), (1210, 0.25))),
        Scored(1, 0.5, Reason.NEW),
    ]
    sent = orjson.dumps(recommend_answer(items, "v1", {"movies:0": 3}, False))

    read = RecommendAnswer.model_validate_json(sent)

    assert read.model_dump(mode="json", exclude_unset=True) == orjson.loads(sent)
    assert [(i.movie_id, i.score, i.reason) for i in read.items] == [
        (260, 1.5, Reason.BECAUSE_YOU_LIKED),
        (1, 0.5, Reason.NEW),
    ]
    assert [(b.movie_id, b.weight) for b in read.items[0].because] == [(1196, 0.75), (1210, 0.25)]
    assert (read.model_version, read.positions, read.fresh) == ("v1", {"movies:0": 3}, False)
