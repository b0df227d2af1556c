"""The few pages the preview gateway shows itself. Texts from the sandbox are escaped."""

import base64
import hashlib
from html import escape
from typing import Final

# A session's page that shows this in a frame fetches another way in.
_TELL: Final = "parent !== window && parent.postMessage({ stich: 'closed' }, '*')"
TELLING: Final = f"'sha256-{base64.b64encode(hashlib.sha256(_TELL.encode()).digest()).decode()}'"
"""The one script on these pages, as a source of the Content-Security-Policy."""

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>{refresh}
<style>
:root {{ color-scheme: light dark }}
body {{ margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 24px; box-sizing: border-box;
  font: 16px/1.5 system-ui, sans-serif; background: light-dark(#f8fafc, #0b1120); color: light-dark(#0f172a, #e2e8f0) }}
main {{ max-width: 42rem; text-align: center }}
h1 {{ font-size: 1.25rem; margin: 0 0 .5rem }}
p {{ margin: .25rem 0; color: light-dark(#475569, #94a3b8) }}
pre {{ text-align: left; font-size: 12px; overflow: auto; max-height: 40vh; padding: 12px; border-radius: 8px;
  background: light-dark(#e2e8f0, #1e293b); white-space: pre-wrap; overflow-wrap: anywhere }}
.dot {{ width: 12px; height: 12px; border-radius: 50%; background: #6366f1; margin: 0 auto 16px;
  animation: beat 1s ease-in-out infinite alternate }}
@keyframes beat {{ from {{ opacity: .25 }} to {{ opacity: 1 }} }}
</style></head><body><main>{body}</main></body></html>
"""


def starting() -> bytes:
    """Shown while the development server starts; asks again by itself."""
    body = '<div class="dot"></div><h1>The preview is starting</h1><p>This page refreshes by itself.</p>'
    return _page("Starting", body, '<meta http-equiv="refresh" content="1">')


def failed(reason: str, log: list[str]) -> bytes:
    """Shown where the development server does not run; asks again slowly."""
    lines = f"<pre>{escape(chr(10).join(log[-40:]))}</pre>" if log else ""
    body = f"<h1>The preview is not running</h1><p>{escape(reason)}</p>{lines}"
    return _page("Not running", body, '<meta http-equiv="refresh" content="5">')


def unknown() -> bytes:
    """Shown for an address that belongs to no session."""
    return _page(
        "No preview here", "<h1>There is no preview at this address</h1><p>Open it from its session in stich.</p>"
    )


def unavailable() -> bytes:
    """Shown where a published site could not be read just now."""
    body = "<h1>This site cannot be shown right now</h1><p>Try again in a moment.</p>"
    return _page("Not available", body, '<meta http-equiv="refresh" content="5">')


def not_allowed(session_page: str | None) -> bytes:
    """Shown to a browser without a valid grant; `session_page` is where its session gives one."""
    way = "its session in stich"
    if session_page is not None:
        way = f'<a href="{escape(session_page)}" target="_top">{way}</a>'
    body = f"<h1>This preview is not open to you</h1><p>Open it from {way}: links run out after a while.</p>"
    body += f"<script>{_TELL}</script>"
    return _page("Not open", body)


def _page(title: str, body: str, refresh: str = "") -> bytes:
    return _PAGE.format(title=escape(title), body=body, refresh=refresh).encode()
