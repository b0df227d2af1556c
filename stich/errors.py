"""The error of this room: a sentence for the person at the terminal."""


class StichError(Exception):
    """stich cannot do what was asked. The text is one sentence that says why and what to do, or several, one a line."""
