"""Recordings on disk: a folder with `recording.json` and the text files it names."""

import os
import re
from pathlib import Path

from pydantic import ValidationError

from schemas.recording import Exchange, Recording, Reply

FILE_NAME = "recording.json"
BUILT_IN = Path(__file__).parent / "recordings"


class RecordingInvalid(ValueError):
    """A recording cannot be used; the message names the file and what is wrong with it, one line a fault."""


def load(folder: Path) -> Recording:
    """Read one recording with the texts of its files put in place of their names.

    Raises:
        RecordingInvalid: `recording.json` or a text file it names is missing, unreadable or not as the format asks.
    """
    source = folder / FILE_NAME
    try:
        recording = Recording.model_validate_json(source.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise RecordingInvalid(f"{source}: cannot be read ({error})") from error
    except ValidationError as error:
        faults = (f"{source}: {'.'.join(map(str, e['loc'])) or 'top level'}: {e['msg']}" for e in error.errors())
        raise RecordingInvalid("\n".join(faults)) from error
    exchanges = [
        exchange.model_copy(update={"reply": _with_text(folder, f"{source}: exchanges.{index}", exchange.reply)})
        for index, exchange in enumerate(recording.exchanges)
    ]
    return recording.model_copy(update={"exchanges": exchanges})


def load_all(folder: Path) -> list[Recording]:
    """Read `folder` itself if it is a recording, else every recording in it, in the order of their names.

    Raises:
        RecordingInvalid: there is none, or one of them cannot be used.
    """
    if (folder / FILE_NAME).exists():
        return [load(folder)]
    found = sorted(folder.glob(f"*/{FILE_NAME}"))
    if not found:
        raise RecordingInvalid(f"{folder}: no {FILE_NAME} here, nor in a folder below")
    return [load(source.parent) for source in found]


def save(folder: Path, recording: Recording) -> None:
    """Write a recording so that a reader sees the old or the new one, never a half: texts first, then the index.

    Each reply's text goes to a file of its own, numbered in the order of the exchanges.
    """
    folder.mkdir(parents=True, exist_ok=True)
    exchanges: list[Exchange] = []
    for number, exchange in enumerate(recording.exchanges, start=1):
        reply = exchange.reply
        if reply.text:
            name = f"{number:03d}-{re.sub(r'[^a-z0-9]+', '-', exchange.action.lower()).strip('-')}.txt"
            _replace(folder / name, reply.text)
            reply = reply.model_copy(update={"text": None, "text_file": name})
        exchanges.append(exchange.model_copy(update={"reply": reply}))
    index = recording.model_copy(update={"exchanges": exchanges})
    _replace(folder / FILE_NAME, index.model_dump_json(indent=2, exclude_defaults=True) + "\n")


def _with_text(folder: Path, place: str, reply: Reply) -> Reply:
    if reply.text_file is None:
        return reply
    try:
        # newline="": a recorded answer keeps its line endings
        with (folder / reply.text_file).open(encoding="utf-8", newline="") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise RecordingInvalid(f"{place}: text_file {reply.text_file} cannot be read ({error})") from error
    return reply.model_copy(update={"text": text, "text_file": None})


def _replace(path: Path, text: str) -> None:
    temporary = path.with_name(path.name + ".new")
    with temporary.open("w", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
