"""The command line: what can be typed, and how errors come out."""

import argparse
import importlib
import os
import sys
from pathlib import Path
from typing import Final

from stich import __version__
from stich.errors import StichError

COMMANDS: Final = {
    "up": "run everything on this machine until Ctrl-C",
    "build": "build an application from a prompt into a folder",
    "publish": "publish a session's application under an address of its own",
    "export": "write a session's project, or its recording, to this machine",
    "github": "push a session's repository to GitHub",
    "replay": "play an exported session again, or try another model on it",
    "batch": "build many applications from a file of prompts",
    "mcp": "offer sessions as tools to a program that speaks MCP",
    "models": "list the models, and which of them can be used now",
    "users": "add people, list them, change what they may do",
    "audit": "show security-relevant acts",
    "keys": "exchange the keys that sign access tokens",
    "doctor": "check this machine and this set-up",
    "worker": "run one worker (production)",
    "api": "run the API and the web page alone (production)",
    "migrate": "bring the database's tables up to date (production)",
    "replay-gate": "see whether this build can go on with the sessions that run (production)",
    "vault": "renew the keys that users' secrets and Temporal's payloads are encrypted with",
    "record": "write a real session down, to be played by the demo model",
}
EXAMPLES: Final = {
    "up": ["stich up", "stich up --port 9000", "STICH_HOME=/data/stich OPENAI_API_KEY=... stich up"],
    "build": [
        'stich build "A kanban board with drag and drop"',
        'stich build "A budget tracker" --template react-vite --out budget',
        'stich build "A kanban board" --json | tail -n 1',
        "stich build --resume SESSION --out board",
    ],
    "publish": [
        "stich publish SESSION",
        "stich publish SESSION --target netlify",
        "stich publish SESSION --withdraw",
    ],
    "export": ["stich export SESSION", "stich export SESSION --recording board.zip"],
    "github": [
        "stich github --token < token.txt",
        "stich github SESSION ada/board --create",
    ],
    "replay": [
        "stich replay board.zip",
        "stich replay board.zip --out board",
        "OPENAI_API_KEY=... stich replay board.zip --model openai/gpt-5-mini",
    ],
    "batch": [
        "stich batch prompts.jsonl",
        "stich batch prompts.jsonl --concurrency 4 --budget 20 --out apps",
        "stich batch prompts.jsonl --bulk --concurrency 100",
        """echo '{"id": "board", "prompt": "A kanban board"}' | stich batch - --report board.jsonl""",
    ],
    "mcp": ["stich mcp", "STICH_URL=https://stich.example.org STICH_TOKEN=... stich mcp"],
    "models": ["stich models", "stich models --json", "stich models --usable"],
    "users": [
        "stich users add --operator ada@example.org",
        "stich users list",
        "stich users role ada@example.org user",
        "stich users disable ada@example.org",
        "stich users link ada@example.org",
        "export STICH_TOKEN=$(stich users key ada@example.org)",
    ],
    "audit": ["stich audit", "stich audit --user ada@example.org --limit 20", "stich audit --json"],
    "keys": ["stich keys rotate", "stich keys rotate --now"],
    "doctor": ["stich doctor"],
    "worker": [
        "DATABASE_URL=postgresql://... TEMPORAL_ADDRESS=temporal:7233 stich worker",
        "stich worker --queues workflows,inference",
        "STICH_SANDBOX_SLOTS=8 stich worker --queues sandbox",
    ],
    "api": ["DATABASE_URL=postgresql://... TEMPORAL_ADDRESS=temporal:7233 STICH_TOKEN=... stich api"],
    "migrate": ["DATABASE_URL=postgresql://... stich migrate"],
    "replay-gate": [
        "TEMPORAL_ADDRESS=temporal:7233 stich replay-gate",
        "stich replay-gate --limit 500 --save histories",
        "stich replay-gate --saved histories",
    ],
    "vault": ["stich vault rotate", "stich vault rotate --payloads"],
    "record": ["stich record --out recordings/todo --upstream https://api.openai.com/v1"],
}


def main(argv: list[str] | None = None) -> int:
    """Run a command. Exit status: 0 done, 1 not done (a sentence says why), 2 typed wrongly, 130 interrupted."""
    arguments = parser().parse_args(argv)
    try:
        status: int = importlib.import_module(f"stich.cli_{arguments.command.replace('-', '_')}").run(arguments)
    except StichError as error:
        for sentence in str(error).splitlines():
            print(f"stich: {sentence}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader of our output left; Python would complain about it once more at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return status


def parser() -> argparse.ArgumentParser:
    """Every command and option."""
    top = argparse.ArgumentParser(
        prog="stich",
        description="Turns a prompt into a working web application.",
        epilog=examples("up", "build", "models"),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"stich {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    made = {
        name: commands.add_parser(
            name,
            help=what,
            description=what[0].upper() + what[1:] + ".",
            epilog=examples(name),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        for name, what in COMMANDS.items()
    }
    add_up(made["up"])
    add_build(made["build"])
    add_publish(made["publish"])
    add_export(made["export"])
    add_github(made["github"])
    add_replay(made["replay"])
    add_batch(made["batch"])
    add_models(made["models"])
    add_vault(made["vault"])
    add_record(made["record"])
    add_users(made["users"])
    add_audit(made["audit"])
    add_keys(made["keys"])
    add_worker(made["worker"])
    add_replay_gate(made["replay-gate"])
    return top


def examples(*names: str) -> str:
    return "examples:\n" + "\n".join(f"  {line}" for name in names for line in EXAMPLES[name])


def add_up(up: argparse.ArgumentParser) -> None:
    up.add_argument("--port", help="where the page is served (default: PORT, else 8080; 0 takes a free one)")
    up.add_argument("--quiet", action="store_true", help="print nothing but errors")


def add_build(build: argparse.ArgumentParser) -> None:
    build.add_argument(
        "prompt", nargs="?", metavar="PROMPT", help="what to build, in your words; - reads it from stdin"
    )
    build.add_argument("--mode", choices=["deterministic", "smart"], default="deterministic", help="how it is built")
    build.add_argument("--template", metavar="NAME", help="the project template to start from (default: chosen to fit)")
    build.add_argument(
        "--out", type=Path, metavar="DIR", help="where the project goes (default: named after its title)"
    )
    build.add_argument("--json", action="store_true", help="print events as JSON lines, and the result as the last one")
    build.add_argument(
        "--resume", metavar="SESSION", help="go on with a session that was stopped, instead of a new one"
    )


def add_publish(publish: argparse.ArgumentParser) -> None:
    publish.add_argument("session", metavar="SESSION", help="the session whose application is published")
    publish.add_argument(
        "--target", choices=["local", "cloudflare", "netlify", "vercel"], default="local",
        help="where to (default: local, this service itself)",
    )  # fmt: skip
    publish.add_argument("--version", type=int, metavar="N", help="a version of its files (default: the newest)")
    publish.add_argument("--withdraw", action="store_true", help="take it from the net instead")
    publish.add_argument("--json", action="store_true", help="print the deployment as one JSON object")


def add_export(export: argparse.ArgumentParser) -> None:
    export.add_argument("session", metavar="SESSION", help="the session")
    what = export.add_mutually_exclusive_group()
    what.add_argument("--out", type=Path, metavar="DIR", help="where the project goes (default: named after its title)")
    what.add_argument(
        "--recording", type=Path, metavar="FILE",
        help="write the session as a recording instead: answers of models, messages, decisions; no secrets",
    )  # fmt: skip


def add_github(github: argparse.ArgumentParser) -> None:
    github.add_argument("session", nargs="?", metavar="SESSION", help="the session")
    github.add_argument("repository", nargs="?", metavar="OWNER/NAME", help="where it goes")
    github.add_argument("--branch", default="main", metavar="NAME", help="the branch there (default: main)")
    github.add_argument("--create", action="store_true", help="make the repository where it is not there")
    github.add_argument("--public", action="store_true", help="make it for everybody to see")
    github.add_argument("--token", action="store_true", help="store the token that is read from stdin, instead")


def add_replay(replay: argparse.ArgumentParser) -> None:
    replay.add_argument("file", type=Path, metavar="FILE", help="what `stich export --recording` wrote")
    replay.add_argument(
        "--model",
        metavar="NAME",
        help="ask this model instead, with the keys of the environment",
    )
    replay.add_argument("--out", type=Path, metavar="DIR", help="where the project goes that comes of it")


def add_batch(batch: argparse.ArgumentParser) -> None:
    batch.add_argument(
        "file", metavar="FILE", help="one JSON object a line: prompt, and id, mode, template, ... as wished; - is stdin"
    )
    batch.add_argument("--concurrency", type=int, default=2, metavar="N", help="sessions at work at once (default: 2)")
    batch.add_argument("--budget", metavar="USD", help="stop starting, and stop what runs, when this much is spent")
    batch.add_argument(
        "--bulk", action="store_true", help="use the providers' batch endpoints: half the price, within a day"
    )
    batch.add_argument("--out", type=Path, metavar="DIR", help="write each finished project into a folder of this one")
    batch.add_argument(
        "--report",
        type=Path,
        metavar="FILE",
        help="where each line's result goes (default: beside FILE, .report.jsonl)",
    )


def add_models(models: argparse.ArgumentParser) -> None:
    models.add_argument("--json", action="store_true", help="print one JSON object per model")
    models.add_argument("--usable", action="store_true", help="only those that can be used now")


def add_vault(vault: argparse.ArgumentParser) -> None:
    vault.add_argument("act", choices=["rotate"], help="put a new key in front, and seal with it what the old one did")
    vault.add_argument("--payloads", action="store_true", help="the key of Temporal's payloads instead of the vault's")


def add_record(record: argparse.ArgumentParser) -> None:
    record.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the recording goes")
    record.add_argument("--upstream", metavar="URL", help="the real provider (default: OPENAI_BASE_URL, else OpenAI's)")
    record.add_argument("--port", type=int, default=0, help="where to listen (default: any free port)")


def add_users(users: argparse.ArgumentParser) -> None:
    what = users.add_subparsers(dest="what", metavar="WHAT", required=True)
    add = what.add_parser("add", help="add somebody, and print the link that sets the password")
    add.add_argument("email", metavar="E-MAIL")
    add.add_argument("--operator", action="store_true", help="with the rights of an operator")
    add.add_argument("--name", help="the name that others see (default: the address up to the @)")
    what.add_parser("list", help="list everybody")
    for name, text in (
        ("link", "print a link that sets a new password"),
        ("disable", "refuse somebody at once, everywhere"),
        ("enable", "let somebody in again"),
    ):
        what.add_parser(name, help=text).add_argument("email", metavar="E-MAIL")
    key = what.add_parser("key", help="make an API key for somebody's programs, and print it this once")
    key.add_argument("email", metavar="E-MAIL")
    key.add_argument("--name", default="made at a terminal", help="what it is called in the list of keys")
    key.add_argument("--days", type=int, choices=range(1, 367), default=90, metavar="N", help="how long it is good for")
    key.add_argument(
        "--scope", action="append", choices=["read", "sessions:write", "keys", "operator"],
        help="what it opens; may be repeated (default: read and sessions:write)",
    )  # fmt: skip
    role = what.add_parser("role", help="change what somebody may do")
    role.add_argument("email", metavar="E-MAIL")
    role.add_argument("role", choices=["user", "operator"])


def add_worker(worker: argparse.ArgumentParser) -> None:
    worker.add_argument(
        "--queues",
        metavar="LIST",
        help="which task queues: some of workflows, inference, sandbox, host, with commas (default: STICH_QUEUES, else"
        " all); host alone takes no new session, and so empties this host",
    )


def add_replay_gate(gate: argparse.ArgumentParser) -> None:
    gate.add_argument(
        "--limit", type=int, default=200, metavar="N", help="how many running sessions at most (default: 200)"
    )
    gate.add_argument("--save", type=Path, metavar="DIR", help="keep the downloaded histories, a file each")
    gate.add_argument("--saved", type=Path, metavar="DIR", help="replay the histories in this folder, ask no Temporal")


def add_audit(audit: argparse.ArgumentParser) -> None:
    audit.add_argument("--limit", type=int, default=100, metavar="N", help="how many acts at most (default: 100)")
    audit.add_argument("--user", metavar="WHO", help="only acts by or about this user: an id or an e-mail address")
    audit.add_argument("--json", action="store_true", help="print one JSON object per act")


def add_keys(keys: argparse.ArgumentParser) -> None:
    rotate = keys.add_subparsers(dest="what", metavar="WHAT", required=True).add_parser(
        "rotate", help="sign access tokens with a new key from now on"
    )
    rotate.add_argument("--now", action="store_true", help="refuse what older keys signed, at once: a key was stolen")
