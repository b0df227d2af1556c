"""Secrets in files are told once, and what is random by its nature is no alarm."""

import hashlib
import random
import string
from pathlib import Path

import pytest

from schemas.secret_scan import LOOKS_SO, MOST, new_secrets, scan
from tests.schemas.test_secrets import KEYS

RANDOM = random.Random(7)
NOISE = "".join(RANDOM.choices(string.ascii_letters + string.digits, k=40))
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("kind", KEYS)
def test_known_keys_are_told_with_their_line(kind: str) -> None:
    (found,) = scan("src/api.ts", f"import x from 'x';\n\nconst it = `{KEYS[kind]}`;\n")
    assert (found.kind, found.line) == (kind, 3)
    assert KEYS[kind][:-4] not in found.sentence("src/api.ts")


@pytest.mark.parametrize(
    "line",
    [
        f'const apiKey = "{NOISE[:24]}";',
        f"PASSWORD={NOISE[:30]}",
        f"fetch(url, {{ headers: {{ Authorization: 'Bearer {NOISE}' }} }})",
        f'client.connect("{NOISE}")',
        f"const x = `{NOISE}`",
    ],
)
def test_values_that_look_random_are_told(line: str) -> None:
    (found,) = scan("src/api.ts", f"// a\n{line}\n")
    assert (found.kind, found.line) == (LOOKS_SO, 2)
    assert found.hint.startswith("…") and NOISE not in found.model_dump_json()


SHA = hashlib.sha256(b"x").hexdigest()


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("package-lock.json", f'"integrity": "sha512-{NOISE}{NOISE}==",\n"key": "{NOISE}"'),
        ("bun.lock", f'"x": ["x@1", "", {{}}, "{NOISE}"]'),
        ("go.sum", f"example.org/x v1.0.0 h1:{NOISE}="),
        ("src/logo.tsx", f'<img src="data:image/png;base64,{NOISE * 3}=="/>'),
        ("dist/app.js", f'var a="{NOISE}"'),
        ("public/app.min.js", f'var a="{NOISE}"'),
        ("src/icons.svg", f'<path d="{NOISE}"/>'),
        ("src/long.js", f'{"x" * 600};a="{NOISE}"'),
        ("index.html", f'<script src="https://x.example/a.js" integrity="sha384-{NOISE}"></script>'),
        ("src/a.ts", f"const commit = '{SHA}';"),
        ("src/a.ts", f"const x = '{SHA}';"),
        ("src/a.ts", "const id = '550e8400-e29b-41d4-a716-446655440000';"),
        (
            "src/a.ts",
            "import { useVeryLongHookNameThatDoesManyThings2 } from './useVeryLongHookNameThatDoesManyThings2'",
        ),
        ("src/a.ts", "const key = 'dashboard-settings-panel-open-state-2024';"),
        ("src/a.ts", "<div className='grid-cols-2-md-grid-cols-4-lg-grid-cols-8'>"),
        ("src/a.ts", "const apiKey = 'your_api_key_goes_here_123456789';"),
        ("src/a.ts", "const url = 'https://fonts.example/css2/Inter/wght400/500/600/700/display/swap'"),
        ("src/a.ts", "const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'"),
        ("src/a.ts", f"// hash: '{NOISE}'"),
        (".env.example", "API_KEY=example-9f8e7d6c5b4a39281706"),
    ],
)
def test_what_is_random_by_its_nature_is_no_alarm(path: str, text: str) -> None:
    assert scan(path, text) == []


def test_a_file_is_told_a_few_things_at_most() -> None:
    lines = ["".join(RANDOM.choices(string.ascii_letters + string.digits, k=40)) for _ in range(50)]
    assert len(scan("src/a.ts", "\n".join(f'const a = "{line}";' for line in lines))) == MOST


def test_what_was_there_before_is_not_told_again() -> None:
    before = f'const a = "{NOISE}";'
    assert new_secrets("a.ts", before, None) and not new_secrets("a.ts", f"// new\n{before}", before)
    (found,) = new_secrets("a.ts", f"{before}\nconst b = '{KEYS['OpenAI key']}'", before)
    assert (found.provider, found.line) == ("openai", 2)


def test_our_own_page_raises_no_alarm() -> None:
    """Some hundred files of ordinary code."""
    found = {
        str(path): scan(str(path.relative_to(ROOT)), path.read_text())
        for pattern in ("web/src/**/*.ts", "web/src/**/*.tsx", "web/src/**/*.css", "codegen/**/*.py", "web/*.json")
        for path in ROOT.glob(pattern)
        if ".test." not in path.name  # they have keys that were made up
    }
    assert len(found) > 150
    assert {path: secrets for path, secrets in found.items() if secrets} == {}
