"""Imports the project's application, as a check: a traceback and status 1 where it cannot be imported."""

import importlib
import os
import sys
import traceback

sys.path.insert(0, os.environ.get("STICH_WORKSPACE", "/workspace"))

try:
    application = importlib.import_module("app.main").app
except SystemExit:  # an application that ends while it is imported; Python itself would not say where
    traceback.print_exc()
    sys.exit(1)
if not callable(application):
    raise TypeError("app in app/main.py is not an application")
