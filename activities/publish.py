"""Publish the application: a production build, served at the service itself or at a host of the user's choice."""

from temporalio import activity

from activities.context import Rooms
from activities.step import Step, fail, running
from activities.workspace import project, sandbox_failure
from sandbox import SandboxError
from sandbox.catalogue import template
from sandbox.errors import HostingFailed, NothingToPublish
from sandbox.hosting import Account
from sandbox.sites import Site, collect
from schemas.deployments import TARGET_TITLES, Deployment, Target
from schemas.events import DeploymentEvent
from schemas.failures import Failure
from schemas.operations import PublishInput, PublishResult

CONNECT = {
    "cloudflare": "Store a token and the account's id on the account page.",
    "netlify": "Store a token on the account page.",
    "vercel": "Store a token on the account page.",
}


class PublishActivities:
    """Run in the sandbox: a build of its own, beside the session's work."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    @activity.defn(name="publish")
    async def publish(self, given: PublishInput) -> PublishResult:
        """Build the project as it was at the asked version, and bring it to its target.

        May run again after any break: the target then gets the same content once more.
        """
        async with running(self._rooms, given) as step:
            deployment = given.deployment
            try:
                # Known missing before the build: nobody waits for a build that leads nowhere.
                self._require_publishable(given.template)
                self._require_allowed(deployment.target)
                publisher = await self.publisher(given.user_id, deployment.target)
                step.emit(DeploymentEvent(deployment=deployment.model_copy(update={"status": "building"})))
                site = await self._build(given)
                shown = deployment.model_copy(
                    update={
                        "status": "uploading",
                        "digest": site.digest,
                        "files": len(site.files),
                        "size": site.size,
                    }
                )
                step.emit(DeploymentEvent(deployment=shown))
                url = await publisher.publish(given.session_id, site)
            except HostingFailed as error:
                raise hosting_failure(error) from error
            except SandboxError as error:
                raise sandbox_failure(error) from error
            return await _result(step, shown.model_copy(update={"status": "live", "url": url}))

    @activity.defn(name="withdraw")
    async def withdraw(self, given: PublishInput) -> PublishResult:
        """Take what is published at the target from the net."""
        async with running(self._rooms, given) as step:
            try:
                await (await self.publisher(given.user_id, given.deployment.target)).withdraw(given.session_id)
            except HostingFailed as error:
                raise hosting_failure(error) from error
            return await _result(step, given.deployment.model_copy(update={"status": "withdrawn", "url": None}))

    def _require_publishable(self, name: str) -> None:
        if not template(name).publishable:
            raise NothingToPublish("Projects of this template need a running server; only pages can be published.")

    def _require_allowed(self, target: Target) -> None:
        if target not in self._rooms.targets:
            sentence = f"{TARGET_TITLES[target]} is not among the targets that this service allows."
            raise fail(
                Failure(code="target_not_allowed", sentence=sentence, next_action="Publish at this service itself.")
            )

    async def publisher(self, user_id: str, target: Target) -> "_Here | _Elsewhere":
        """What publishes and withdraws at a target. Raises ApplicationError where the user has no account there."""
        if target == "local":
            return _Here(self._rooms)
        account = await self._rooms.deployment_tokens.find(user_id, target)
        if account is None:
            sentence = f"There is no token for {TARGET_TITLES[target]}."
            raise fail(Failure(code="no_deployment_token", sentence=sentence, next_action=CONNECT[target]))
        return _Elsewhere(self._rooms, target, account)

    async def _build(self, given: PublishInput) -> Site:
        """Build in a workspace of its own, which leaves the session's alone. Raises SandboxError."""
        rooms, building = self._rooms, f"{given.session_id}--publish"
        stored = await rooms.files.contents(given.session_id, given.deployment.version)
        files, packages = project(stored, rooms.sandbox.template_files(given.template))
        try:
            workspace = await rooms.sandbox.workspace(building, given.template, files, packages)
            built = await workspace.build()
            if built.dist is None:
                errors = built.report.errors
                place = f" ({errors[0].file}:{errors[0].line or 1})" if errors and errors[0].file else ""
                said = errors[0].message.splitlines()[0][:300] if errors else "the build left nothing"
                failure = Failure(code="build_failed", sentence=f"The project could not be built: {said}{place}")
                raise fail(failure.model_copy(update={"next_action": "Ask the session to repair it, then publish."}))
            return await collect(built.dist)
        finally:
            await rooms.sandbox.remove(building)


class _Here:
    """The service itself: stored, and served by every host's gateway."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    async def publish(self, session_id: str, site: Site) -> str:
        await self._rooms.published.publish(session_id, site.digest, site.files)
        return self._rooms.site_url(session_id)

    async def withdraw(self, session_id: str) -> None:
        await self._rooms.published.withdraw(session_id)


class _Elsewhere:
    """A place on the net, with the user's account there. One project per session, which every version replaces."""

    def __init__(self, rooms: Rooms, target: Target, account: Account) -> None:
        self._hosting = rooms.places.hosting(target)
        self._account = account

    async def publish(self, session_id: str, site: Site) -> str:
        return await self._hosting.publish(self._account, _name(session_id), site)

    async def withdraw(self, session_id: str) -> None:
        await self._hosting.withdraw(self._account, _name(session_id))


def _name(session_id: str) -> str:
    return f"stich-{session_id}"


async def _result(step: Step, deployment: Deployment) -> PublishResult:
    seq, usage = await step.ended()
    return PublishResult(last_seq=seq, usage=usage, deployment=deployment)


def hosting_failure(error: HostingFailed) -> Exception:
    """What a hosting service's refusal means to the workflow."""
    failure = Failure(code=error.code, sentence=str(error), retry_after=error.retry_after)
    return fail(failure, retry=error.retry)
