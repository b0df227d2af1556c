"""Sessions of a jurisdiction stay there: its own namespace, database, workers, APIs and providers, and no way across.

A process belongs to the jurisdiction that STICH_JURISDICTION names, or to none. Database and namespace remember the one
that they were first used for, and a process of another one does not start on them.
"""

from datetime import timedelta
from typing import Any, Final

import asyncpg
from temporalio.api.namespace.v1 import UpdateNamespaceInfo
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest, UpdateNamespaceRequest
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import (
    ExecuteWorkflowInput,
    Interceptor,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
)

from stich.errors import StichError
from storage.database import Database
from storage.installation import Installation

NAMESPACE_KEY: Final = "stich.jurisdiction"
WRONG: Final = "wrong_jurisdiction"


async def claim_database(database: Database, jurisdiction: str | None) -> None:
    """Raises StichError where the database holds the data of another jurisdiction than this process serves."""
    try:
        known, mine = await Installation(database).claim(jurisdiction)
    except asyncpg.UndefinedTableError:  # of a version before: it belongs to none
        if jurisdiction is None:
            return
        raise StichError("The database lacks migrations of this version; run `stich migrate` first.") from None
    if not mine:
        raise StichError(_refusal("database", known, jurisdiction, "DATABASE_URL"))


async def claim_namespace(client: Client, jurisdiction: str | None) -> None:
    """Raises StichError where the namespace belongs to another jurisdiction than this process serves."""
    service, namespace = client.workflow_service, client.namespace
    answer = await service.describe_namespace(DescribeNamespaceRequest(namespace=namespace), timeout=PATIENCE)
    known = answer.namespace_info.data.get(NAMESPACE_KEY) or None
    if known is None and jurisdiction is not None:
        update = UpdateNamespaceInfo(data={NAMESPACE_KEY: jurisdiction})
        try:
            await service.update_namespace(
                UpdateNamespaceRequest(namespace=namespace, update_info=update), timeout=PATIENCE
            )
        except RPCError as error:
            if error.status not in (RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNIMPLEMENTED):
                raise
            raise StichError(
                f"The namespace {namespace!r} does not say whose it is; let its operator run: temporal operator"
                f" namespace update --namespace {namespace} --data {NAMESPACE_KEY}={jurisdiction}"
            ) from None
        return
    if known != jurisdiction:
        raise StichError(_refusal(f"namespace {namespace!r}", known, jurisdiction, "TEMPORAL_NAMESPACE"))


PATIENCE: Final = timedelta(seconds=10)


def _refusal(what: str, known: str | None, jurisdiction: str | None, variable: str) -> str:
    if known is None:
        return (
            f"The {what} holds sessions of no jurisdiction already; those of {jurisdiction} need one of their own:"
            f" set {variable}."
        )
    serves = f"jurisdiction {jurisdiction}" if jurisdiction else "no jurisdiction (STICH_JURISDICTION is not set)"
    return f"The {what} belongs to jurisdiction {known}, and this process serves {serves}; check {variable}."


class OwnJurisdiction(Interceptor):
    """Ends a session of another jurisdiction in its first task, before anything of it is stored or sent anywhere."""

    def __init__(self, jurisdiction: str | None) -> None:
        self._jurisdiction = jurisdiction

    def workflow_interceptor_class(
        self, input: WorkflowInterceptorClassInput
    ) -> type[WorkflowInboundInterceptor] | None:
        jurisdiction = self._jurisdiction

        class Checked(WorkflowInboundInterceptor):
            async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:
                asked = input.args[0].get("jurisdiction") if input.args and isinstance(input.args[0], dict) else None
                if asked is not None and asked != jurisdiction:
                    here = f"those of {jurisdiction}" if jurisdiction else "sessions of no jurisdiction"
                    sentence = f"Sessions of jurisdiction {str(asked)[:40]} are not served here; this place has {here}."
                    raise ApplicationError(sentence, type=WRONG, non_retryable=True)
                return await super().execute_workflow(input)

        return Checked
