"""The one way to connect to Temporal: with the converter that every client and worker must share."""

import asyncio
import dataclasses
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import DataConverter, DefaultFailureConverterWithEncodedAttributes
from temporalio.envconfig import ClientConfigProfile
from temporalio.service import RPCError, RPCStatusCode

from stich.codec import EncryptionCodec
from stich.errors import StichError
from stich.keys import payload_keys
from stich.settings import DEFAULT_TEMPORAL, Settings
from stich.telemetry import client_interceptors
from workflows.cockpit import SEARCH_ATTRIBUTES

NAMESPACE_SECONDS: Final = 30.0
ATTRIBUTES_SECONDS: Final = 60.0


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
        return await Client.connect(
            **config,
            data_converter=data_converter(settings),
            interceptors=client_interceptors(env),
            lazy=lazy,
        )
    except (RuntimeError, ValueError, OSError) as error:
        raise StichError(f"The TEMPORAL_ settings cannot be used: {error}") from None


def data_converter(settings: Settings) -> DataConverter:
    """How what goes through Temporal is written: pydantic's JSON, encrypted where there are keys. Raises StichError."""
    keys = payload_keys(settings)
    if keys is None:
        return pydantic_data_converter
    return dataclasses.replace(
        pydantic_data_converter,
        payload_codec=EncryptionCodec(keys),
        failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
    )


async def require_namespace(client: Client, seconds: float = NAMESPACE_SECONDS) -> None:
    """Wait for Temporal and its namespace. Raises StichError when it does not come."""
    deadline = time.monotonic() + seconds
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


async def require_search_attributes(client: Client) -> None:
    """See that the namespace knows the attributes sessions are searched by: a workflow that sets others gets stuck.

    Registers what is missing and waits until Temporal knows it. Raises StichError where that is not allowed.
    """
    wanted = {key.name: IndexedValueType.ValueType(key.indexed_value_type) for key in SEARCH_ATTRIBUTES}
    service, namespace = client.operator_service, client.namespace
    deadline = time.monotonic() + ATTRIBUTES_SECONDS
    asked = False
    while True:
        try:
            listed = await service.list_search_attributes(ListSearchAttributesRequest(namespace=namespace))
            known = listed.custom_attributes
            missing = {name: kind for name, kind in wanted.items() if name not in known}
            wrong = sorted(name for name, kind in wanted.items() if name in known and known[name] != kind)
            if wrong:
                raise StichError(f"Search attributes of another type exist already: {', '.join(wrong)}; remove them.")
            if not missing:
                return
            if not asked:
                request = AddSearchAttributesRequest(namespace=namespace, search_attributes=missing)
                await service.add_search_attributes(request)
                asked = True
        except RPCError as error:
            if error.status is RPCStatusCode.ALREADY_EXISTS:  # another worker was first
                asked = True
            elif error.status in (RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNIMPLEMENTED):
                raise StichError(_attributes_to_add(namespace)) from None
        if time.monotonic() > deadline:
            raise StichError(_attributes_to_add(namespace))
        await asyncio.sleep(0.2)


def _attributes_to_add(namespace: str) -> str:
    names = {"KEYWORD": "Keyword", "INT": "Int", "DOUBLE": "Double"}
    listed = " ".join(f"--name {key.name} --type {names[key.indexed_value_type.name]}" for key in SEARCH_ATTRIBUTES)
    return (
        f"The namespace {namespace!r} lacks search attributes; let its operator run:"
        f" temporal operator search-attribute create --namespace {namespace} {listed}"
    )
