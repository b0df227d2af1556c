"""Tokens for the places where applications are published: stored sealed, used when publishing, never shown again."""

from typing import Final, get_args

from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import Response

from api.audit import note
from api.auth import principal_of
from api.endpoints import Answer, Endpoint, JsonResponse, body_of
from api.examples import EXAMPLE_TIME
from api.problems import DATABASE_AWAY, INVALID, NO_DEPLOYMENT_ACCOUNT, NO_TARGET, TOO_SLOW, VAULT_LOCKED, Refusal
from api.services import services_of
from schemas.deployments import (
    TARGET_TITLES,
    DeploymentAccount,
    DeploymentAccountList,
    PutDeploymentAccount,
    Target,
)
from storage.deployment_accounts import DeploymentAccounts, StoredAccount
from storage.vault import VaultLocked

TAKE_TOKENS: Final[tuple[Target, ...]] = tuple(target for target in get_args(Target) if target != "local")


async def list_accounts(request: Request) -> Response:
    stored = await _accounts(request).list(principal_of(request).user_id)
    return JsonResponse(DeploymentAccountList(accounts=tuple(map(_shown, stored))))


async def put_account(request: Request) -> Response:
    target, body = _target(request), body_of(request, PutDeploymentAccount)
    if target == "cloudflare" and not body.owner:
        raise Refusal(INVALID, "Cloudflare needs the account's id beside the token.")
    try:
        stored = await _accounts(request).put(principal_of(request).user_id, target, body.token, body.owner)
    except VaultLocked:
        raise Refusal(VAULT_LOCKED, "The vault cannot be opened by this service.") from None
    await note(request, "deployment_account_stored", target=target)
    return JsonResponse(_shown(stored))


async def delete_account(request: Request) -> Response:
    target = _target(request)
    if not await _accounts(request).delete(principal_of(request).user_id, target):
        raise Refusal(NO_DEPLOYMENT_ACCOUNT, f"You have stored no token for {TARGET_TITLES[target]}.")
    await note(request, "deployment_account_deleted", target=target)
    return Response(status_code=204)


def _accounts(request: Request) -> DeploymentAccounts:
    return DeploymentAccounts(services_of(request).vault)


def _shown(stored: StoredAccount) -> DeploymentAccount:
    return DeploymentAccount(title=TARGET_TITLES[stored.target], **stored._asdict())


def _target(request: Request) -> Target:
    asked: str = request.path_params["target"]
    if asked not in TAKE_TOKENS:
        raise Refusal(NO_TARGET, f"There is no place “{asked[:80]}” to publish at with a token.")
    return asked


EXAMPLE: Final = DeploymentAccount(
    target="cloudflare",
    title=TARGET_TITLES["cloudflare"],
    owner="0123456789abcdef",
    hint="…4f2a",
    created_at=EXAMPLE_TIME,
    last_used_at=None,
)

ENDPOINTS: Final = (
    Endpoint(
        method="GET",
        path="/api/deployment-accounts",
        handler=list_accounts,
        name="list_deployment_accounts",
        summary="The tokens that you stored for publishing elsewhere, masked",
        answer=Answer(
            description="Never a token itself.",
            schema=DeploymentAccountList,
            example=DeploymentAccountList(accounts=(EXAMPLE,)),
        ),
        problems=(DATABASE_AWAY, TOO_SLOW),
        scope="keys",
    ),
    Endpoint(
        method="PUT",
        path="/api/deployment-accounts/{target}",
        handler=put_account,
        name="put_deployment_account",
        summary="Store your token for Cloudflare Pages, Netlify or Vercel",
        body=PutDeploymentAccount,
        body_example=PutDeploymentAccount(token=SecretStr("the token as the place shows it"), owner="0123456789abcdef"),
        answer=Answer(
            description="It is stored; what you publish there from now on uses it.",
            schema=DeploymentAccount,
            example=EXAMPLE,
        ),
        problems=(NO_TARGET, INVALID, VAULT_LOCKED, DATABASE_AWAY, TOO_SLOW),
        scope="keys",
    ),
    Endpoint(
        method="DELETE",
        path="/api/deployment-accounts/{target}",
        handler=delete_account,
        name="delete_deployment_account",
        summary="Forget a stored token; what was published stays",
        answer=Answer(description="It is gone.", status=204),
        problems=(NO_TARGET, NO_DEPLOYMENT_ACCOUNT, DATABASE_AWAY, TOO_SLOW),
        scope="keys",
    ),
)
