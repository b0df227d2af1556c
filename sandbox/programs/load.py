"""Imports the project's application, as a check: a traceback and status 1 where it cannot be imported."""

import importlib
import os
import sys

sys.path.insert(0, os.environ.get("STICH_WORKSPACE", "/workspace"))

if not callable(importlib.import_module("app.main").app):
    raise TypeError("app in app/main.py is not an application")
