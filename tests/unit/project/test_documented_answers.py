"""Answers that the documents show have the fields of the API."""

import json
import re
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from gateway.api.schemas.responses import RecommendationDocument, RecommendationsDocument

ROOT = Path(__file__).resolve().parents[3]
BLOCK = re.compile(r"^```json\n(.*?)^```", re.DOTALL | re.MULTILINE)


def lists(name: str) -> list[dict[str, Any]]:
    """Return the answers with items that a document shows."""
    answers = [json.loads(block) for block in BLOCK.findall((ROOT / name).read_text())]
    return [answer for answer in answers if "items" in answer]


def always(model: type[BaseModel]) -> set[str]:
    """Return the fields that every answer has."""
    return {name for name, field in model.model_fields.items() if field.is_required()}


def test_the_answer_on_the_first_screen_is_a_whole_one() -> None:
    [answer] = lists("README.md")
    RecommendationsDocument.model_validate(answer)
    assert set(answer) == always(RecommendationsDocument)
    for item in answer["items"]:
        assert set(item) == always(RecommendationDocument)


def test_a_shortened_answer_has_no_field_that_there_is_not() -> None:
    answers = lists("docs/tutorial/first-lists.md")
    assert answers
    for answer in answers:
        assert set(answer) <= set(RecommendationsDocument.model_fields)
        for item in answer["items"]:
            assert set(item) <= set(RecommendationDocument.model_fields)
