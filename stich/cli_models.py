"""`stich models`: what can be called, and what is missing where it cannot."""

import argparse
import os
import shutil
import sys
from decimal import Decimal

from rich.console import Console
from rich.table import Table

from inference.listing import rows
from inference.settings import InferenceSettings
from schemas.inference import ModelRow
from stich.environment import checked_settings


def run(arguments: argparse.Namespace) -> int:
    checked_settings(os.environ)
    settings = InferenceSettings.from_env(os.environ)
    models = [row for row in rows(settings) if row.available or not arguments.usable]
    if arguments.json:
        for row in models:
            print(row.model_dump_json())
        return 0
    print_table(models)
    usable = sum(row.available for row in models)
    if usable == 0:
        print("No key of a provider was found, so the demo model answers. Set one of the variables named above.")
    else:
        print(f"{usable} of these models can be used now. Prices are in US dollars per million tokens.")
    return 0


def print_table(models: list[ModelRow]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold", expand=False)
    for name in ("model", "context", "longest answer", "input", "output", "abilities", "usable"):
        table.add_column(
            name, justify="left" if name in ("model", "abilities", "usable") else "right", no_wrap=name == "model"
        )
    for row in models:
        table.add_row(
            row.name,
            f"{row.context_window // 1000}k",
            f"{row.output_limit // 1000}k",
            price(row.input_price),
            price(row.output_price),
            ", ".join(row.abilities),
            f"yes, by {', '.join(row.usable_providers)}" if row.available else row.reason,
            style="" if row.available else "dim",
        )
    wide = 160 if not sys.stdout.isatty() else shutil.get_terminal_size().columns
    Console(width=wide, highlight=False).print(table)


def price(amount: Decimal | None) -> str:
    return "?" if amount is None else f"{amount.normalize():f}"
