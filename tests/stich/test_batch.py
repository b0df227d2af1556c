"""What a batch's files may hold, and how a batch that is run again finds out what is left."""

from decimal import Decimal
from pathlib import Path

import pytest

from stich.batch import Result, cost_of, read_jobs, read_report
from stich.errors import StichError


def test_lines_become_jobs_named_by_id_or_number() -> None:
    jobs = read_jobs(['{"prompt": "A board"}', "", '{"id": "budget", "prompt": "A budget", "mode": "smart"}'])
    assert [(job.id, job.request.prompt, job.request.mode) for job in jobs] == [
        ("1", "A board", "deterministic"),
        ("budget", "A budget", "smart"),
    ]
    assert jobs[0].key == read_jobs(['{"prompt": "A board"}'])[0].key
    assert jobs[0].key != read_jobs(['{"prompt": "Another board"}'])[0].key


def test_all_lines_or_some_of_them_are_bulk() -> None:
    lines = ['{"prompt": "A board"}', '{"prompt": "A budget", "bulk": true}']
    assert [job.request.bulk for job in read_jobs(lines)] == [False, True]
    assert [job.request.bulk for job in read_jobs(lines, bulk=True)] == [True, True]


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (['{"prompt": "fine"}', "not json"], "Line 2 cannot be used"),
        (['{"prompt": ""}'], "Line 1 cannot be used: prompt"),
        (['{"prompt": "x", "colour": "red"}'], "Line 1 cannot be used: colour"),
        (['{"prompt": "x", "id": "../up"}'], "Line 1 cannot be used: id"),
        (['{"prompt": "x", "id": "a"}', '{"prompt": "y", "id": "a"}'], "'a' is used more than once"),
        (['{"prompt": "x"}'] * 10_001, "at most 10,000 lines"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(lines: list[str], sentence: str) -> None:
    with pytest.raises(StichError, match=sentence):
        read_jobs(lines)


def test_a_report_is_read_back_without_its_torn_end(tmp_path: Path) -> None:
    report = tmp_path / "report.jsonl"
    whole = Result(id="1", key="k1", session="s", state="completed", cost_usd=Decimal("0.25"))
    report.write_text(f'{whole.model_dump_json()}\n{{"id": "2", "ke')
    assert read_report(report) == {"k1": whole}
    assert read_report(tmp_path / "none.jsonl") == {}


@pytest.mark.parametrize("typed", ["0", "-1", "much", "nan", "inf"])
def test_a_budget_is_an_amount(typed: str) -> None:
    with pytest.raises(StichError, match="US dollars"):
        cost_of(typed)
    assert cost_of("12.50") == Decimal("12.50")
