"""Names of people are what they look like."""

import pytest
from pydantic import ValidationError

from schemas.accounts import ChangeMe


@pytest.mark.parametrize("name", ["\u202enimda", "a\u200bda", "ada\ufeff", "a\u2066da", "a\nda"])
def test_names_that_deceive(name: str) -> None:
    with pytest.raises(ValidationError):
        ChangeMe(name=name)


@pytest.mark.parametrize("name", ["Ada Lovelace", "José", "علی‌رضا", "👩‍💻", "<b>x</b>"])
def test_names_of_people(name: str) -> None:
    assert ChangeMe(name=name).name == name
