"""The one way to connect to Temporal: with the converter that every client and worker must share."""

import asyncio
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.envconfig import ClientConfigProfile
from temporalio.service import RPCError, RPCStatusCode

from stich.errors import StichError
from stich.settings import DEFAULT_TEMPORAL, Settings

NAMESPACE_SECONDS: Final = 30.0


async def connect_temporal(settings: Settings, env: Mapping[str, str], *, lazy: bool = True) -> Client:
    """A client that connects when it is first used, or now (workers need one that is connected).

    Address and namespace come from the settings; TLS and the API key from Temporal's own variables (`TEMPORAL_TLS`,
    `TEMPORAL_TLS_CLIENT_CERT_PATH`, `TEMPORAL_API_KEY`, ...). Raises StichError where these cannot be used.
    """
    address = settings.temporal_address or DEFAULT_TEMPORAL
    variables = {name: value for name, value in env.items() if name.startswith("TEMPORAL_")}
    try:
        profile = ClientConfigProfile.load(disable_file=True, override_env_vars=variables)
        config = profile.to_client_connect_config()
        config["target_host"] = address
        config["namespace"] = settings.temporal_namespace
        return await Client.connect(**config, data_converter=pydantic_data_converter, lazy=lazy)
    except (RuntimeError, ValueError, OSError) as error:
        raise StichError(f"The TEMPORAL_ settings cannot be used: {error}") from None


async def require_namespace(client: Client) -> None:
    """Wait for Temporal and its namespace, for up to 30 seconds. Raises StichError when it does not come."""
    deadline = time.monotonic() + NAMESPACE_SECONDS
    reason = "it does not answer"
    while time.monotonic() < deadline:
        try:
            await client.workflow_service.describe_namespace(
                DescribeNamespaceRequest(namespace=client.namespace), timeout=timedelta(seconds=5)
            )
            return
        except RPCError as error:
            if error.status in (RPCStatusCode.UNAUTHENTICATED, RPCStatusCode.PERMISSION_DENIED):
                raise StichError(
                    "Temporal refuses these credentials; check TEMPORAL_API_KEY or the TLS files."
                ) from None
            reason = f"it has no namespace {client.namespace!r}" if error.status is RPCStatusCode.NOT_FOUND else reason
        except RuntimeError:  # the connection could not be made
            reason = "it does not answer"
        await asyncio.sleep(0.2)
    raise StichError(f"Temporal at {client.service_client.config.target_host} cannot be used: {reason}.")
