"""A stich for many people with priced models: what it asks of providers goes through a gateway to the demo model."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Browser, Page
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.e2e.journeys.conftest import Model, Stich, running
from tests.stich.demo_server import serving

PASSWORD = "correct horse battery"
MODEL = "openai/gpt-5-mini"


class Gateway:
    """In front of the demo model, as one stands in front of providers; those in `down` are out of order."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self.url = ""
        self.down: set[str] = set()
        self.app = Starlette(routes=[Route("/v1/{provider}/{rest:path}", self.complete, methods=["POST"])])

    async def complete(self, request: Request) -> Response:
        if request.path_params["provider"] in self.down:
            return JSONResponse({"error": {"message": "overloaded", "type": "server_error"}}, 503)
        return await self._model.demo.complete(request)


class House:
    """The stich, its gateway, and how people come in."""

    def __init__(self, stich: Stich, gateway: Gateway, browser: Browser) -> None:
        self.stich = stich
        self.gateway = gateway
        self._browser = browser

    @property
    def origin(self) -> str:
        return self.stich.at.local_url

    async def mailed(self, email: str, what: str) -> str:
        """The link in the newest mail to somebody that the terminal showed, without the host."""
        mail = re.compile(rf"To: {re.escape(email)}\n.*?(/sign-in#{what}=\S+)", re.DOTALL)
        async with asyncio.timeout(30):
            while not (found := mail.findall(self.stich.up.output)):  # noqa: ASYNC110 - a file
                await asyncio.sleep(0.2)
        link: str = found[-1]
        return link

    @asynccontextmanager
    async def nobody(self) -> AsyncIterator[Page]:
        """A page of a browser in which nobody is signed in. Fails if the page threw an error."""
        context = await self._browser.new_context(viewport={"width": 1280, "height": 800})
        page = await context.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        try:
            yield page
        finally:
            await context.close()
        assert errors == []

    @asynccontextmanager
    async def person(self, name: str) -> AsyncIterator[Page]:
        """The start page in the browser of somebody new who is signed in."""
        email = f"{name.lower()}@example.org"
        async with self.nobody() as page:
            await self._post(page, "sign-up", {"email": email, "name": name, "password": PASSWORD})
            token = (await self.mailed(email, "verify")).partition("=")[2]
            await self._post(page, "verify", {"token": token})
            await self._post(page, "sign-in", {"email": email, "password": PASSWORD})
            await page.goto(self.origin)
            yield page

    async def _post(self, page: Page, what: str, body: dict[str, str]) -> None:
        answer = await page.request.post(f"{self.origin}/api/auth/{what}", data=body, headers={"origin": self.origin})
        assert answer.ok, await answer.text()


@asynccontextmanager
async def house_of(folder: Path, model: Model, browser: Browser, **settings: str) -> AsyncIterator[House]:
    """A house with people's accounts."""
    gateway = Gateway(model)
    async with serving(gateway.app) as gateway.url:
        env = {
            "STICH_AUTH": "accounts",
            "STICH_MODEL": MODEL,
            "CLOUDFLARE_AI_GATEWAY_URL": gateway.url,
            "STICH_ALLOW_PRIVATE_ADDRESSES": "1",
            "OPENAI_API_KEY": "of-no-use-elsewhere",
            "OPENROUTER_API_KEY": "of-no-use-either",
            **settings,
        }
        async with running(folder, model, **env) as stich:
            yield House(stich, gateway, browser)
