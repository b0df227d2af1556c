"""What models say of an application, read as what it means."""

import pytest

from schemas.blueprint import TemplateChoice


@pytest.mark.parametrize(
    ("said", "means"),
    [
        ("simple", "simple"), (" Simple ", "simple"), ("low", "simple"), ("COMPLEX", "complex"), ("high", "complex"),
        ("moderate", "moderate"), ("medium", "moderate"), ("7/10", "moderate"), (None, "moderate"), (3, "moderate"),
    ],
)  # fmt: skip
def test_complexity_is_one_of_three_words(said: object, means: str) -> None:
    choice = TemplateChoice.model_validate({"template": None, "title": "T", "complexity": said})
    assert choice.complexity == means
    assert TemplateChoice.model_validate({"template": None, "title": "T"}).complexity == "moderate"
