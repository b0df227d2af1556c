"""Publishing beside the session's other work: one deployment after another, in the order they were asked for."""

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.publish import PublishActivities
    from schemas.deployments import (
        TARGET_TITLES,
        UNDER_WAY,
        Deployment,
        DeploymentRequest,
        DeploymentStatus,
        DeploymentWithdrawal,
    )
    from schemas.events import DeploymentEvent
    from schemas.failures import Failure
    from schemas.operations import PublishInput
    from workflows.options import PUBLISH_STEP
    from workflows.steps import Session

MOST_KEPT = 20
MOST_WAITING = 5


class Publisher:
    """The deployments of one session. `progress.deployments` holds them, oldest first."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._rounds = 0

    def check(self, request: DeploymentRequest) -> None:
        """Refuse what cannot be published now. Raises ApplicationError."""
        progress = self._session.progress
        if self._find(request.id) is not None:
            return
        if progress.template is None or not progress.files:
            raise ApplicationError("There is nothing to publish yet.", type="nothing_to_publish")
        if len(self._waiting()) >= MOST_WAITING:
            raise ApplicationError("Enough deployments are under way; wait for one to end.", type="too_many")

    def request(self, request: DeploymentRequest) -> Deployment:
        """Take a request into the queue. One with a known id was sent twice: it leads to the same deployment."""
        known = self._find(request.id)
        if known is not None:
            return known
        now = workflow.now()
        deployment = Deployment(
            id=request.id, target=request.target, version=request.version, requested_at=now, changed_at=now
        )
        kept = self._session.progress.deployments
        for old in [old for old in kept if old.status not in UNDER_WAY][: max(0, len(kept) - MOST_KEPT + 1)]:
            kept.remove(old)
        kept.append(deployment)
        self._show(deployment)
        return deployment

    def check_withdrawal(self, withdrawal: DeploymentWithdrawal) -> None:
        """Refuse where nothing is there to be taken away. Raises ApplicationError."""
        if self._live(withdrawal) is None:
            where = TARGET_TITLES[withdrawal.target]
            raise ApplicationError(f"Nothing is published at {where}.", type="not_published")

    def withdraw(self, withdrawal: DeploymentWithdrawal) -> Deployment:
        """Queue the end of what is published at a target."""
        live = self._live(withdrawal)
        assert live is not None, "the validator has seen it"
        self._change(live, "withdrawing")
        return live

    async def work(self) -> None:
        """Carry out what is asked for, for as long as the workflow runs."""
        while True:
            await workflow.wait_condition(lambda: bool(self._waiting()) and not self._session.renewing)
            await self._carry_out(self._waiting()[0])

    @property
    def idle(self) -> bool:
        """Whether nothing is left to carry out."""
        return not self._waiting()

    async def _carry_out(self, deployment: Deployment) -> None:
        session = self._session
        ending = deployment.status == "withdrawing"
        where = TARGET_TITLES[deployment.target]
        title = f"Withdrawing from {where}" if ending else f"Publishing at {where}"
        self._rounds += 1
        template = session.progress.template
        assert template is not None, "nothing is published before there is a template"
        outcome = await session.attempt(
            PublishActivities.withdraw if ending else PublishActivities.publish,
            lambda common: PublishInput(**common, template=template, deployment=deployment),
            session.operation(f"deployment-{deployment.id}-{deployment.status}", "publish", title),
            PUBLISH_STEP,
        )
        session.settle(f"deployment-{deployment.id}-{deployment.status}")
        if outcome is None:
            outcome = Failure(code="stopped", sentence="It was stopped.", next_action="Publish again.")
        if isinstance(outcome, Failure):
            self._failed(deployment, outcome, ending)
            return
        done = outcome.deployment
        deployment.digest, deployment.files, deployment.size = done.digest, done.files, done.size
        deployment.url = done.url
        for older in session.progress.deployments:
            if older.target == deployment.target and older.status == "live":
                self._change(older, "withdrawn")  # replaced
        self._change(deployment, done.status)

    def _failed(self, deployment: Deployment, failure: Failure, ending: bool) -> None:
        deployment.detail = f"{failure.explanation} {failure.next_action}".strip()
        deployment.code = failure.code
        # What could not be taken away is still there.
        self._change(deployment, "live" if ending else "failed")

    def _change(self, deployment: Deployment, status: DeploymentStatus) -> None:
        deployment.status, deployment.changed_at = status, workflow.now()
        self._show(deployment)

    def _show(self, deployment: Deployment) -> None:
        self._session.emit(DeploymentEvent(deployment=deployment))

    def _find(self, deployment_id: str) -> Deployment | None:
        return next((known for known in self._session.progress.deployments if known.id == deployment_id), None)

    def _waiting(self) -> list[Deployment]:
        return [known for known in self._session.progress.deployments if known.status in UNDER_WAY]

    def _live(self, withdrawal: DeploymentWithdrawal) -> Deployment | None:
        found = [d for d in self._session.progress.deployments if d.target == withdrawal.target and d.status == "live"]
        return found[-1] if found else None
