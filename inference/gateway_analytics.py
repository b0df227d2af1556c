"""What Cloudflare's AI Gateway counted, asked of Cloudflare's GraphQL interface."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final
from urllib.parse import urlsplit

import httpx
from pydantic import BaseModel, Field, SecretStr, ValidationError

from inference.settings import GatewaySettings
from schemas.analytics import GatewayTotals

LONGEST: Final = timedelta(days=31)
"""Cloudflare answers for about a month at once."""

_QUERY: Final = """
query ($account: string!, $gateway: string!, $value: string!, $since: Time!, $until: Time!) {
  viewer {
    accounts(filter: {accountTag: $account}) {
      total: aiGatewayRequestsAdaptiveGroups(limit: 1, filter: {gateway: $gateway, metadataValues_has: $value,
          datetimeHour_geq: $since, datetimeHour_leq: $until}) {
        count
        sum { cost cachedRequests erroredRequests uncachedTokensIn uncachedTokensOut cachedTokensIn cachedTokensOut }
      }
      last: aiGatewayRequestsAdaptiveGroups(limit: 1, orderBy: [datetimeMinute_DESC], filter: {gateway: $gateway,
          metadataValues_has: $value, datetimeHour_geq: $since, datetimeHour_leq: $until}) {
        dimensions { datetimeMinute }
      }
    }
  }
}"""


class GatewayAway(Exception):
    """The gateway's analytics could not be read; the text says why, without a secret."""


@dataclass(frozen=True, slots=True)
class GatewayAddress:
    """What a gateway's URL names."""

    account: str
    gateway: str
    staging: bool


def parse_gateway_url(url: str) -> GatewayAddress | None:
    """The account and the gateway that `url` (`https://HOST/v1/ACCOUNT/GATEWAY`) names. None where it is not
    Cloudflare's kind of address. Staging is told by the host name, not by what else the text holds."""
    parts = urlsplit(url)
    path = [piece for piece in parts.path.split("/") if piece]
    if not parts.hostname or len(path) < 3 or path[0] != "v1":
        return None
    labels = parts.hostname.replace("-", ".").split(".")
    return GatewayAddress(path[1], path[2], "staging" in labels)


class _Sum(BaseModel):
    cost: Decimal = Decimal(0)
    cached_requests: int = Field(default=0, alias="cachedRequests")
    errored_requests: int = Field(default=0, alias="erroredRequests")
    uncached_in: int = Field(default=0, alias="uncachedTokensIn")
    uncached_out: int = Field(default=0, alias="uncachedTokensOut")
    cached_in: int = Field(default=0, alias="cachedTokensIn")
    cached_out: int = Field(default=0, alias="cachedTokensOut")


class _Total(BaseModel):
    count: int = 0
    sum: _Sum = Field(default_factory=_Sum)


class _Dimensions(BaseModel):
    minute: datetime | None = Field(default=None, alias="datetimeMinute")


class _Last(BaseModel):
    dimensions: _Dimensions = Field(default_factory=_Dimensions)


class _Account(BaseModel):
    total: list[_Total] = Field(default_factory=list)
    last: list[_Last] = Field(default_factory=list)


class _Viewer(BaseModel):
    accounts: list[_Account]


class _Data(BaseModel):
    viewer: _Viewer


class _Answer(BaseModel):
    data: _Data


class GatewayAnalytics:
    """Asks for the counts of what carries a user's or a session's id in its metadata."""

    def __init__(self, address: GatewayAddress, token: SecretStr, client: httpx.AsyncClient, url: str = "") -> None:
        self._address = address
        self._token = token
        self._client = client
        host = "api.staging.cloudflare.com" if address.staging else "api.cloudflare.com"
        self._url = url or f"https://{host}/client/v4/graphql"

    @classmethod
    def of(cls, settings: GatewaySettings | None, client: httpx.AsyncClient) -> "GatewayAnalytics | None":
        """For the gateway that is configured, where it is Cloudflare's and a token for its analytics is set."""
        if settings is None or settings.analytics_token is None:
            return None
        address = parse_gateway_url(settings.url)
        if address is None:
            return None
        return cls(address, settings.analytics_token, client, settings.analytics_url or "")

    async def totals(self, value: str, since: datetime, until: datetime) -> GatewayTotals:
        """The counts for `value`, an id. Raises GatewayAway."""
        since = max(since, until - LONGEST)
        variables = {
            "account": self._address.account,
            "gateway": self._address.gateway,
            "value": value,
            "since": since.isoformat(timespec="seconds"),
            "until": until.isoformat(timespec="seconds"),
        }
        headers = {"authorization": f"Bearer {self._token.get_secret_value()}"}
        try:
            answer = await self._client.post(
                self._url, json={"query": _QUERY, "variables": variables}, headers=headers, timeout=2.0
            )
        except httpx.HTTPError as error:
            raise GatewayAway(f"Cloudflare could not be asked ({type(error).__name__}).") from None
        if answer.status_code != 200:
            raise GatewayAway(f"Cloudflare answered with status {answer.status_code}.")
        try:
            accounts = _Answer.model_validate_json(answer.content).data.viewer.accounts
        except ValidationError:
            raise GatewayAway("Cloudflare refused the question: check the token's rights.") from None
        account = accounts[0] if accounts else _Account()
        total = account.total[0] if account.total else _Total()
        return GatewayTotals(
            requests=total.count,
            cached_requests=total.sum.cached_requests,
            failed_requests=total.sum.errored_requests,
            input_tokens=total.sum.uncached_in + total.sum.cached_in,
            output_tokens=total.sum.uncached_out + total.sum.cached_out,
            cost_usd=total.sum.cost,
            last_request_at=account.last[0].dimensions.minute if account.last else None,
        )
