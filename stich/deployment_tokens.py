"""With which account a build is published elsewhere: the user's own, else the operator's where that is the user."""

from sandbox.errors import HostingFailed
from sandbox.hosting import Account, DeploymentTokens
from schemas.deployments import Target
from storage.deployment_accounts import DeploymentAccounts
from storage.vault import VaultLocked


class UserTokens:
    """Accounts out of the vault, opened for one use."""

    def __init__(self, accounts: DeploymentAccounts, otherwise: DeploymentTokens) -> None:
        self._accounts = accounts
        self._otherwise = otherwise

    async def find(self, user_id: str, target: Target) -> Account | None:
        """The account. Raises HostingFailed where it is stored and does not open."""
        try:
            found = await self._accounts.open(user_id, target)
        except VaultLocked as error:
            raise HostingFailed("Your token cannot be opened by this service.", code="vault_locked") from error
        if found is None:
            return await self._otherwise.find(user_id, target)
        token, owner = found
        return Account(token, owner or None)
