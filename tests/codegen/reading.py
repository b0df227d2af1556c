"""Reading SCOF in tests: a stream in pieces, its events with adjacent chunks joined, and a plain reader to compare."""

from collections.abc import Iterable, Mapping
from itertools import pairwise

from codegen.heredoc import parse_opening
from codegen.scof import FileChunked, FileClosed, FileOpened, Finished, ScofEvent, ScofParser


def read(*pieces: str, existing: Mapping[str, str] | None = None, protected: Iterable[str] = ()) -> list[ScofEvent]:
    """All events of a stream that arrives in these pieces."""
    parser = ScofParser(existing=existing, protected=protected)
    events: list[ScofEvent] = []
    for piece in pieces:
        events += parser.feed(piece)
    return events + parser.finish()


def joined(events: Iterable[ScofEvent]) -> list[ScofEvent]:
    """The events with adjacent chunks of one file made one, after checking that their offsets follow each other."""
    result: list[ScofEvent] = []
    for event in events:
        last = result[-1] if result else None
        if isinstance(event, FileChunked) and isinstance(last, FileChunked):
            assert (event.path, event.offset) == (last.path, last.offset + len(last.text))
            assert event.text
            result[-1] = FileChunked(last.path, last.offset, last.text + event.text)
        else:
            result.append(event)
    return result


def cut(text: str, places: Iterable[int]) -> list[str]:
    """The text cut at these indices."""
    edges = [0, *sorted(place % (len(text) + 1) for place in places), len(text)]
    return [text[begin:end] for begin, end in pairwise(edges)]


def files(events: Iterable[ScofEvent]) -> dict[str, str]:
    """What the stream leaves in each file."""
    return {event.path: event.content for event in events if isinstance(event, FileClosed)}


def read_plainly(text: str) -> list[ScofEvent]:
    """The events of a stream of whole-file blocks with one-line commands, read line by line from the whole text.

    The slow and obvious way: without refusals, commands, comments, appends and diffs.
    """
    events: list[ScofEvent] = []
    path = marker = None
    content = ""
    lines = text.split("\n")
    for number, line in enumerate(lines):
        is_last = number == len(lines) - 1
        if marker is None:
            opening = parse_opening(line)
            if opening is not None:
                path, marker, content = opening.path, opening.marker, ""
                events.append(FileOpened(path, "full_content"))
        elif line.strip() == marker:
            assert path is not None
            events += [FileChunked(path, 0, content)] if content else []
            events.append(FileClosed(path, content))
            path = marker = None
        else:
            content += line if is_last else line + "\n"
    if path is not None and content:
        events.append(FileChunked(path, 0, content))
    return [*events, Finished(path)]
