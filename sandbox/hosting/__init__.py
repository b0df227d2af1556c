"""Places on the net where a build can be published with the user's own account."""

from sandbox.hosting.accounts import Account, DeploymentTokens, EnvironmentTokens
from sandbox.hosting.cloudflare import CloudflarePages
from sandbox.hosting.netlify import Netlify
from sandbox.hosting.places import Hosting, Places
from sandbox.hosting.vercel import Vercel

__all__ = [
    "Account",
    "CloudflarePages",
    "DeploymentTokens",
    "EnvironmentTokens",
    "Hosting",
    "Netlify",
    "Places",
    "Vercel",
]
