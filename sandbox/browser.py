"""A warm headless Chromium that looks at previews: screenshots, and what goes wrong in the page.

The browser runs contained like everything else, in a network of its own where one address exists: the preview gateway's
port, led there through a unix socket. It is driven over pipes, so it listens nowhere.
"""

import asyncio
import contextlib
import os
import shlex
import signal
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import playwright.async_api as playwright

from sandbox.errors import BrowserFailed, SandboxUnavailable
from sandbox.family import cpu_seconds, resident_bytes
from sandbox.isolation import Box, Isolation, Mount, owner_of
from sandbox.machine import bin_folder, browser_missing, browser_path, programs_folder
from sandbox.pagewatch import PageWatch
from sandbox.runs import RunFolder
from sandbox.settings import MEBIBYTE, Limits, SandboxSettings
from schemas.checks import CheckReport, Issue

_LIMITS = Limits(
    seconds=0.0, cpu_seconds=86_400, memory_bytes=2048 * MEBIBYTE, data_bytes=16_384 * MEBIBYTE, processes=2048
)
_LAUNCH_SECONDS = 30.0
_CLOSE_SECONDS = 5.0
_RECYCLE_AFTER = 60
_AT_WORK = 0.4
_PATIENCE = 3
"""A page that is frozen keeps a core busy. One whose browser did less than this share of that was starved by others:
it is given this many times as long, once."""
_TRIES = 3
"""A browser may go down with another page than the one that it is to look at."""


@dataclass(frozen=True)
class Size:
    """A window to look through."""

    name: str
    width: int
    height: int


DESKTOP = Size("desktop", 1280, 800)
PHONE = Size("phone", 390, 844)


@dataclass(frozen=True)
class Screenshot:
    """What the page looked like; `png` are the bytes of the image. `blank` says that nothing was to be seen."""

    size: Size
    png: bytes
    blank: bool


@dataclass(frozen=True)
class Capture:
    """The pictures taken and everything that went wrong in the page, deduplicated and counted."""

    screenshots: list[Screenshot]
    report: CheckReport


class Browser:
    """One per worker process; an async context manager. The browser starts with the first capture and stays warm.

    `port` is the preview gateway's on 127.0.0.1: the only address its pages can reach.
    """

    def __init__(self, settings: SandboxSettings, port: int) -> None:
        self._settings = settings
        self._isolation = Isolation(settings.unsafe_local)
        self._port = port
        self._running: RunFolder | None = None
        self._folder: Path | None = None
        self._relay: asyncio.Server | None = None
        self._driver: playwright.Playwright | None = None
        self._browser: playwright.Browser | None = None
        self._guard: asyncio.Task[None] | None = None
        self._captures = 0
        self._busy = 0
        self._starting = asyncio.Lock()

    async def __aenter__(self) -> "Browser":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End the browser and its driver."""
        await self._stop_browser()
        if self._driver is not None:
            with contextlib.suppress(playwright.Error):
                await self._driver.stop()
            self._driver = None
        if self._relay is not None:
            self._relay.close()
            self._relay = None
        if self._running is not None:
            self._running.close()
        self._running = self._folder = None

    async def capture(
        self, url: str, sizes: Sequence[Size] = (DESKTOP, PHONE), *, timeout: float = 20.0, settle: float = 0.6
    ) -> Capture:
        """Open the page, wait until it is quiet, take a picture per size and collect what went wrong.

        `timeout` bounds it all, `settle` is how long the page is watched once it is quiet. A page that does not answer
        is an issue, not an error; where the browser got little of the processor meanwhile, it is looked at once more,
        for longer. Raises BrowserFailed, SandboxUnavailable.
        """
        patience = _PATIENCE
        for _ in range(_TRIES):
            browser = await self._ready()
            watch = PageWatch(url)
            shots: list[Screenshot] = []
            self._busy += 1
            try:
                began = self._cpu_seconds()
                async with self._context(browser, sizes[0]) as context:
                    answered = await self._look(context, url, sizes, watch, shots, timeout, settle)
                    if not answered and patience > 1 and self._cpu_seconds() - began < _AT_WORK * timeout:
                        timeout, patience = timeout * patience, 1
                        continue
                if not answered:
                    watch.frozen(timeout)
                return Capture(shots, await watch.report())
            except playwright.Error as error:
                failure = error
            finally:
                self._busy -= 1
                self._captures += 1
            if browser.is_connected():
                break
        sentence = f"The browser could not be used: {failure.message.splitlines()[0][:300]}"
        raise BrowserFailed(sentence) from failure

    async def _look(
        self,
        context: playwright.BrowserContext,
        url: str,
        sizes: Sequence[Size],
        watch: PageWatch,
        shots: list[Screenshot],
        timeout: float,
        settle: float,
    ) -> bool:
        """Look at the page; False if it did not answer in time."""
        page = await context.new_page()
        await watch.attach(page)
        try:
            async with asyncio.timeout(timeout):
                await page.goto(url, wait_until="load", timeout=timeout * 1000)
                with contextlib.suppress(playwright.TimeoutError):
                    await page.wait_for_load_state("networkidle", timeout=2 * settle * 1000)
                await watch.first_sight(page)
                for number, size in enumerate(sizes):
                    if number:
                        await page.set_viewport_size({"width": size.width, "height": size.height})
                    await asyncio.sleep(settle if number == 0 else settle / 2)
                    await watch.look(page)
                    png = await page.screenshot(type="png", animations="disabled", timeout=timeout * 1000)
                    shots.append(Screenshot(size, png, watch.blank))
        except (TimeoutError, playwright.TimeoutError):
            return False
        except playwright.Error as error:
            if context.browser is None or not context.browser.is_connected():
                raise
            watch.unreachable(error.message)
        return True

    @contextlib.asynccontextmanager
    async def _context(self, browser: playwright.Browser, size: Size) -> AsyncIterator[playwright.BrowserContext]:
        context = await browser.new_context(
            viewport={"width": size.width, "height": size.height},
            service_workers="block",
            accept_downloads=False,
            locale="en-US",
        )
        try:
            yield context
        finally:
            try:
                await asyncio.wait_for(asyncio.shield(context.close()), _CLOSE_SECONDS)
            except (TimeoutError, playwright.Error):
                # A page that cannot be closed keeps a core busy: the browser goes.
                await self._stop_browser()

    async def _ready(self) -> playwright.Browser:
        async with self._starting:
            worn = self._captures >= _RECYCLE_AFTER and self._busy == 0
            if self._browser is not None and (worn or not self._browser.is_connected()):
                await self._stop_browser()
            if self._browser is None:
                self._browser = await self._launch()
                self._captures = 0
            return self._browser

    async def _launch(self) -> playwright.Browser:
        self._isolation.require()
        if sentence := browser_missing():
            raise SandboxUnavailable(sentence)
        if self._driver is None:
            self._driver = await playwright.async_playwright().start()
        folder = await self._open_relay()
        try:
            browser = await self._driver.chromium.launch(
                executable_path=folder / "browser",
                headless=True,
                # The pages' own sandbox on top of ours; without namespaces it cannot be had as root.
                chromium_sandbox=self._isolation.contained,
                env={},
                timeout=_LAUNCH_SECONDS * 1000,
                args=["--no-proxy-server", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"],
                handle_sigint=False,
                handle_sigterm=False,
                handle_sighup=False,
            )
        except playwright.Error as error:
            raise BrowserFailed(f"The browser did not start: {error.message[:500]}") from error
        self._guard = asyncio.create_task(self._watch_memory(browser), name="browser memory")
        return browser

    async def _open_relay(self) -> Path:
        """Make the folder the browser sees, with the socket that leads to the gateway, and the program to start it."""
        if self._folder is not None:
            return self._folder
        running = self._running = await asyncio.to_thread(RunFolder, self._settings, 0o711)
        folder = running.path
        sockets = folder / "net"
        sockets.mkdir()
        sockets.chmod(0o711)
        self._relay = await asyncio.start_unix_server(self._serve_relay, sockets / "page.sock")
        (sockets / "page.sock").chmod(0o666)
        self._write_program(folder, sockets)
        self._folder = folder
        return folder

    def _write_program(self, folder: Path, sockets: Path) -> None:
        mounts = [
            Mount(bin_folder(self._settings), "/opt/stich/bin"),
            Mount(programs_folder(self._settings), "/opt/stich/programs"),
            Mount(sockets, "/run/stich"),
        ]
        if Path("/etc/fonts").is_dir():
            mounts.append(Mount(Path("/etc/fonts"), "/etc/fonts"))
        box = Box(
            mounts,
            owner_of("stich browser"),
            _LIMITS,
            environment={"STICH_RELAY_PIPES": "1", "NODE_OPTIONS": ""},
            workdir="/tmp",
            nested=True,
            shared_memory=256 * MEBIBYTE,
        )
        program = [str(browser_path())]
        if self._isolation.contained:
            program = ["node", "/opt/stich/programs/relay.mjs", str(self._port), "/run/stich/page.sock", *program]
        line, _, _ = self._isolation.command(program, box)
        script = f'#!/bin/sh\necho $$ > {shlex.quote(str(folder / "pid"))}\nexec {shlex.join(line)} "$@"\n'
        (folder / "browser").write_text(script)
        (folder / "browser").chmod(0o755)

    async def _serve_relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self._port)
            try:
                await asyncio.gather(_pour(reader, inner_writer), _pour(inner_reader, writer))
            finally:
                inner_writer.close()
        writer.close()

    async def _watch_memory(self, browser: playwright.Browser) -> None:
        while browser.is_connected():
            pid = self._pid()
            if pid is not None and resident_bytes(pid) > _LIMITS.memory_bytes:
                self._kill()
                return
            await asyncio.sleep(1.0)

    def _cpu_seconds(self) -> float:
        pid = self._pid()
        return cpu_seconds(pid) if pid is not None else 0.0

    def _pid(self) -> int | None:
        try:
            return int((self._folder / "pid").read_text()) if self._folder is not None else None
        except (OSError, ValueError):
            return None

    def _kill(self) -> None:
        pid = self._pid()
        if pid is not None and self._folder is not None:
            (self._folder / "pid").unlink(missing_ok=True)
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    async def _stop_browser(self) -> None:
        browser, self._browser = self._browser, None
        guard, self._guard = self._guard, None
        if guard is not None:
            guard.cancel()
        if browser is None:
            return
        with contextlib.suppress(playwright.Error, TimeoutError):
            await asyncio.wait_for(browser.close(), _CLOSE_SECONDS)
        self._kill()


async def _pour(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await source.read(65536):
            target.write(chunk)
            await target.drain()
        target.write_eof()


__all__ = ["DESKTOP", "PHONE", "Browser", "Capture", "Issue", "Screenshot", "Size"]
