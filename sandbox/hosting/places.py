"""The places by name, and where their interfaces are."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from sandbox.hosting.accounts import Account
from sandbox.hosting.cloudflare import CloudflarePages
from sandbox.hosting.netlify import Netlify
from sandbox.hosting.vercel import Vercel
from sandbox.sites import Site
from schemas.deployments import Target


class Hosting(Protocol):
    """A place on the net. Both methods may be repeated, and raise HostingFailed."""

    async def publish(self, account: Account, name: str, site: Site) -> str:
        """Make the site the present content of the project of that name. Returns its address."""

    async def withdraw(self, account: Account, name: str) -> None:
        """Take the project of that name, with all its versions, from the net; fine where there is none."""


@dataclass(frozen=True)
class Places:
    """Base addresses of the services' interfaces; tests name servers of their own."""

    cloudflare: str = "https://api.cloudflare.com/client/v4"
    netlify: str = "https://api.netlify.com/api/v1"
    vercel: str = "https://api.vercel.com"

    def hosting(self, target: Target) -> Hosting:
        """The place of a target that is not the service itself. Raises KeyError for "local"."""
        known: Mapping[Target, Hosting] = {
            "cloudflare": CloudflarePages(self.cloudflare),
            "netlify": Netlify(self.netlify),
            "vercel": Vercel(self.vercel),
        }
        return known[target]
