"""Keys and passwords that people paste: found by their well-known forms, or by what stands before them, and taken out.

What is taken out leaves a mark, which names the kind and the last characters: enough for people to know which key it
was, and for programs to offer the vault for it.
"""

import math
import re
from collections import Counter
from typing import Annotated, Final, NamedTuple

from pydantic import AfterValidator, BaseModel, SecretStr


def _fits_a_header(secret: SecretStr) -> SecretStr:
    value = secret.get_secret_value()
    if not (value.isascii() and value.isprintable()) or value != value.strip():
        raise ValueError("a key has letters, digits and signs of ASCII only, and no space around it")
    return secret


HeaderSecret = Annotated[SecretStr, AfterValidator(_fits_a_header)]
"""A key or token that is sent in a header of HTTP."""


class MaskedSecret(BaseModel):
    """A secret that was taken out of a text. `provider` is the model provider whose vault entry it could be."""

    kind: str
    provider: str | None = None
    hint: str = ""


class _Form(NamedTuple):
    kind: str
    pattern: str
    provider: str | None = None


# The first that fits counts: narrower forms stand before wider ones.
_FORMS: Final = (
    _Form(
        "private key",
        r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----(?:[^-]|-(?!----)){16,9000}-----END [A-Z ]{0,30}PRIVATE KEY-----",
    ),
    _Form("Anthropic key", r"\bsk-ant-[\w-]{20,200}", "anthropic"),
    _Form("OpenRouter key", r"\bsk-or-(?:v1-)?[\w-]{20,200}", "openrouter"),
    _Form("DeepSeek key", r"\bsk-[0-9a-f]{32}(?![\w-])", "deepseek"),
    _Form("OpenAI key", r"\bsk-(?=[\w-]{0,60}\d)(?:proj-|svcacct-|admin-)?[\w-]{20,250}", "openai"),
    _Form("Groq key", r"\bgsk_[A-Za-z0-9]{20,200}", "groq"),
    _Form("Cerebras key", r"\bcsk-[A-Za-z0-9]{20,200}", "cerebras"),
    _Form("Google key", r"\bAIza[\w-]{35}(?![\w-])", "google"),
    _Form("xAI key", r"\bxai-[A-Za-z0-9]{20,200}"),
    _Form("Hugging Face token", r"\bhf_[A-Za-z0-9]{20,100}"),
    _Form("Replicate token", r"\br8_[A-Za-z0-9]{20,100}"),
    _Form("NVIDIA key", r"\bnvapi-[\w-]{20,200}"),
    _Form("GitHub token", r"\b(?:gh[pousr]_[A-Za-z0-9]{30,255}|github_pat_[A-Za-z0-9_]{30,255})"),
    _Form("GitLab token", r"\bglpat-[\w-]{20,100}"),
    _Form("Slack token", r"\bxox[abeoprs]-[A-Za-z0-9-]{10,200}"),
    _Form("AWS key id", r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    _Form("Stripe key", r"\b(?:sk|rk|whsec)_(?:live_|test_)?[A-Za-z0-9]{20,200}"),
    _Form("SendGrid key", r"\bSG\.[\w-]{16,50}\.[\w-]{16,80}"),
    _Form("npm token", r"\bnpm_[A-Za-z0-9]{36}\b"),
    _Form("PyPI token", r"\bpypi-[\w-]{40,300}"),
    _Form("Shopify token", r"\bshp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}\b"),
    _Form("DigitalOcean token", r"\bdo[opr]_v1_[0-9a-f]{64}\b"),
    _Form("Telegram token", r"\b\d{8,10}:AA[\w-]{33}(?![\w-])"),
    _Form("signed token", r"\beyJ[\w-]{10,2000}\.eyJ[\w-]{10,4000}\.[\w-]{16,2000}"),
    _Form("password", r"(?<=://)[^\s/:@\"'<>]{1,100}:[^\s/:@\"'<>\[]{3,200}(?=@[\w.-])"),
)
_KNOWN: Final = re.compile("|".join(f"(?P<f{number}>{form.pattern})" for number, form in enumerate(_FORMS)))

# A name that says so, and a value that looks random.
_ASSIGNED: Final = re.compile(
    r"(?i)(?<![A-Za-z0-9])(?:api[ _-]?key|secret(?:[ _-]?(?:access[ _-]?)?key)?|access[ _-]?(?:key|token)"
    r"|auth[ _-]?token|token|password|passwd|credentials?|bearer|key)[\"'`]?\s{0,3}(?:[:=]|\bis\b|\s)\s{0,3}[\"'`]?"
    r"(?P<value>[A-Za-z0-9+/_.~-]{20,300}={0,2})"
)
_LEAST_BITS: Final = 3.5
"""Bits per character: words and paths have less, or no digits."""

MASKED: Final = "[removed: "
"""How every mark begins."""
_MARK: Final = re.compile(r"\[removed: ([A-Za-z ]{3,30}?)(?: ending in (\S{4}))?\]")
_PROVIDERS: Final = {form.kind: form.provider for form in _FORMS}
_GUESSED: Final = "secret"


def mask(text: str) -> str:
    """`text` with every secret replaced by a mark: those of known forms, and random-looking values with a name that
    says what they are. Doing it twice changes nothing."""
    return _ASSIGNED.sub(_guess, mask_known(text))


def mask_known(text: str) -> str:
    """`text` with secrets of known forms replaced by marks, and nothing that only may be one."""
    return _KNOWN.sub(_replace, text)


def masked_in(text: str) -> list[MaskedSecret]:
    """What was taken out of a masked text, in order."""
    return [
        MaskedSecret(kind=kind, provider=_PROVIDERS.get(kind), hint=f"…{end}" if end else "")
        for kind, end in _MARK.findall(text)
    ]


def named_values(text: str) -> list[str]:
    """Random-looking values that have a name which says what they are."""
    return [found["value"] for found in _ASSIGNED.finditer(text) if _is_guess(found["value"])]


def looks_random(value: str, bits: float) -> bool:
    """Whether a character of it says at least so much."""
    return _bits(value) >= bits


def _replace(found: re.Match[str]) -> str:
    assert found.lastgroup is not None
    form = _FORMS[int(found.lastgroup[1:])]
    return _mark(form.kind, "" if form.kind in ("private key", "password") else found.group())


def _guess(found: re.Match[str]) -> str:
    value = found["value"]
    if not _is_guess(value):
        return found.group()
    return found.group()[: found.start("value") - found.start()] + _mark(_GUESSED, value)


def _is_guess(value: str) -> bool:
    digits, letters = sum(map(str.isdigit, value)), sum(map(str.isalpha, value))
    return digits >= 3 and letters >= 3 and looks_random(value, _LEAST_BITS)


def _mark(kind: str, value: str) -> str:
    end = value[-4:]
    return f"[removed: {kind} ending in {end}]" if end and not set(end) & set("]\n ") else f"[removed: {kind}]"


def _bits(value: str) -> float:
    """Shannon's entropy, in bits per character."""
    return -sum(count / len(value) * math.log2(count / len(value)) for count in Counter(value).values())
