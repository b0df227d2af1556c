"""Reasoning that stands in the text itself, between tags: how local servers send it."""


class ThinkTags:
    """Splits `<think>...</think>` off the beginning of a text: local servers send reasoning that way."""

    OPEN, CLOSE = "<think>", "</think>"

    def __init__(self) -> None:
        self._held = ""
        self._inside = False
        self.decided = False

    def feed(self, text: str) -> tuple[str, str]:
        """(reasoning, text) of this fragment. Once `decided`, all that follows is text."""
        held = self._held + text
        if not self._inside:
            start = held.lstrip()
            if start.startswith(self.OPEN):
                self._inside, held = True, start[len(self.OPEN) :]
            elif self.OPEN.startswith(start):
                self._held = held
                return "", ""
            else:
                self.decided, self._held = True, ""
                return "", held
        thought, closed, rest = held.partition(self.CLOSE)
        if closed:
            self.decided, self._held = True, ""
            return thought, rest
        keep = next((n for n in range(len(self.CLOSE) - 1, 0, -1) if held.endswith(self.CLOSE[:n])), 0)
        self._held = held[len(held) - keep :]
        return held[: len(held) - keep], ""

    def rest(self) -> tuple[str, str]:
        """What was held back when the answer ended."""
        return (self._held, "") if self._inside else ("", self._held)
