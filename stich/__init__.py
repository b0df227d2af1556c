"""The composition root: settings, wiring, process supervisor, command line, client."""

__version__ = "0.1.0"
