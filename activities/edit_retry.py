"""The one way in which an edit that does not fit is asked for again: first its blocks, then the whole file."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace

from activities.model_call import stream_model
from activities.step import Step
from codegen.edits import NO_EDIT, Edited, FailedEdit, read_edits
from codegen.prompts import render
from codegen.regressions import regressions
from schemas.inference import ActionKey, Finish, Message, TextDelta

RETRIES = 2  # model calls that one edit may cost beyond its own


class EditFailed(ValueError):
    """The edit could not be used, however it was asked for. The message says why, in sentences."""


async def complete_edit(
    step: Step, action: ActionKey, path: str, edited: Edited, files: Mapping[str, str], *, call_number: int
) -> str:
    """The file's new text, once every block of `edited` is in it and it is no worse than what `files` has.

    A block that was not applied is asked for once more, and what is then still missing or worse as a whole file, with
    the model of `action` and the call numbers from `call_number` on. Raises EditFailed, and what a model call raises.
    """
    problems = list(edited.failed)
    if path in files and edited.failed and edited.failed != (NO_EDIT,):
        known = {**files, path: edited.text}
        answer = await ask(step, action, _prompt(path, known, edited.failed, whole=False), call_number)
        again = read_edits(answer, path, known)
        edited = replace(edited, failed=()).followed_by(again)
        problems = list(edited.failed)
    if edited.ok:
        problems = await _worse(files, path, edited.text)
        if not problems:
            return edited.text
    answer = await ask(step, action, _prompt(path, files, problems or [NO_EDIT], whole=True), call_number + 1)
    whole = read_edits(answer, path, files)
    problems = list(whole.failed) if not whole.ok else await _worse(files, path, whole.text)
    if problems:
        raise EditFailed(" ".join(problem.reason for problem in problems))
    return whole.text


async def ask(step: Step, action: ActionKey, messages: tuple[Message, ...], call_number: int) -> str:
    """The whole text of one answer; nothing of it where the output limit cut it."""
    pieces: list[str] = []
    async for delta in stream_model(step, action, messages, call_number=call_number):
        if isinstance(delta, TextDelta):
            pieces.append(delta.text)
        elif isinstance(delta, Finish) and delta.reason == "length":
            return ""
    return "".join(pieces)


async def _worse(files: Mapping[str, str], path: str, text: str) -> list[FailedEdit]:
    found = await asyncio.to_thread(regressions, files, path, text)
    return [FailedEdit("", reason) for reason in found]


def _prompt(
    path: str, files: Mapping[str, str], failed: list[FailedEdit] | tuple[FailedEdit, ...], *, whole: bool
) -> tuple[Message, ...]:
    return render("edit_retry", path=path, content=files.get(path), failed=list(failed), whole=whole)
