"""What Temporal keeps cannot be read without the keys; programs without keys can still start sessions and read them."""

import base64
import json
import re
import uuid
from datetime import timedelta
from pathlib import Path

import pytest
from google.protobuf.json_format import MessageToJson
from hypothesis import given
from hypothesis import strategies as st
from temporalio import activity, workflow
from temporalio.api.common.v1 import Payload
from temporalio.client import Client, WorkflowFailureError
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import WorkflowSerializationContext
from temporalio.exceptions import ApplicationError
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner, Worker

from stich.codec import EncryptionCodec
from stich.errors import StichError
from stich.keys import payload_keys
from stich.settings import Settings
from stich.temporal import data_converter
from storage.keyring import KeyRing, KeySource, UnusableKey, new_key, replace_file

CANARY = "canary-prompt-51c0ffee"


def source() -> KeySource:
    return KeySource.given(KeyRing([new_key()]).text())


def payload(data: bytes) -> Payload:
    return Payload(metadata={"encoding": b"json/plain", "messageType": b"x"}, data=data)


@given(data=st.binary(max_size=5_000) | st.binary(min_size=1, max_size=4).map(lambda piece: piece * 1_000))
async def test_what_is_encoded_is_decoded(data: bytes) -> None:
    codec = EncryptionCodec(source())
    encoded = await codec.encode([payload(data), Payload()])
    assert all(each.metadata["encoding"] == b"binary/encrypted" for each in encoded)
    assert len(data) < 8 or data not in encoded[0].data
    assert await codec.decode(encoded) == [payload(data), Payload()]


async def test_long_payloads_are_made_smaller() -> None:
    (encoded,) = await EncryptionCodec(source()).encode([payload(b"abc " * 100_000)])
    assert len(encoded.data) < 10_000


async def test_other_encodings_pass_through() -> None:
    others = [payload(b"{}"), Payload(), Payload(metadata={"encoding": b"binary/encrypted"}, data=b"another's")]
    assert await EncryptionCodec(source()).decode(others) == others


async def test_what_was_changed_or_has_another_key_does_not_open() -> None:
    codec = EncryptionCodec(source())
    (sealed,) = await codec.encode([payload(b"{}")])
    changed = Payload(metadata=sealed.metadata, data=sealed.data[:-1] + b"x")
    repacked = Payload(metadata={**sealed.metadata, "packing": b"zlib"}, data=sealed.data)
    for broken in (changed, repacked):
        with pytest.raises(UnusableKey):
            await codec.decode([broken])
    with pytest.raises(UnusableKey):
        await EncryptionCodec(source()).decode([sealed])


async def test_older_keys_still_open(tmp_path: Path) -> None:
    keys = KeySource.file(tmp_path / "payload.keys")
    codec = EncryptionCodec(keys)
    (before,) = await codec.encode([payload(b"before")])
    replace_file(tmp_path / "payload.keys", keys.ring().renewed().text())
    (after,) = await codec.encode([payload(b"after")])
    assert before.metadata["key-id"] != after.metadata["key-id"]
    assert await codec.decode([before, after]) == [payload(b"before"), payload(b"after")]


async def test_a_session_that_began_in_the_clear_answers_in_the_clear() -> None:
    codec = EncryptionCodec(source())
    plain = codec.with_context(WorkflowSerializationContext(namespace="default", workflow_id="plain"))
    await plain.decode([payload(b"{}")])
    assert await plain.encode([payload(b"{}")]) == [payload(b"{}")]
    (sealed,) = await codec.encode([payload(b"{}")])
    await plain.decode([sealed])
    assert await plain.encode([payload(b"{}")]) == [payload(b"{}")], "what came first decides"
    other = codec.with_context(WorkflowSerializationContext(namespace="default", workflow_id="other"))
    await other.decode([sealed])
    await other.decode([payload(b"{}")])
    assert (await other.encode([payload(b"{}")]))[0].metadata["encoding"] == b"binary/encrypted"


def test_keys_come_from_the_setting_or_the_home(tmp_path: Path) -> None:
    env = {"STICH_HOME": str(tmp_path / "home")}
    assert payload_keys(Settings.from_env(env)) is None, "a role alone makes none"
    made = payload_keys(Settings.from_env(env), make=True)
    again = payload_keys(Settings.from_env(env))
    assert made is not None and again is not None and made.ring().ids == again.ring().ids
    assert payload_keys(Settings.from_env({**env, "STICH_PAYLOAD_KEY": "off"}), make=True) is None
    assert data_converter(Settings.from_env({**env, "STICH_PAYLOAD_KEY": "off"})) is pydantic_data_converter
    with pytest.raises(StichError) as caught:
        payload_keys(Settings.from_env({**env, "STICH_PAYLOAD_KEY": "my-password"}))
    assert "my-password" not in str(caught.value)


@activity.defn
async def echo(text: str) -> str:
    if text.startswith("fail"):
        raise ApplicationError(f"it holds {text}", text, non_retryable=True)
    return text


@workflow.defn(name="Echo")
class Echo:
    def __init__(self) -> None:
        self.heard: list[str] = []

    @workflow.run
    async def run(self, text: str) -> str:
        await workflow.wait_condition(lambda: bool(self.heard))
        return await workflow.execute_activity(
            echo, text, start_to_close_timeout=timedelta(seconds=10), summary=f"echoing {text}"
        )

    @workflow.signal
    def hear(self, text: str) -> None:
        self.heard.append(text)

    @workflow.query
    def all_heard(self) -> list[str]:
        return self.heard


async def run(client: Client, queue: str, text: str) -> tuple[str, str]:
    """The result, and the history as Temporal has it."""
    handle = await client.start_workflow(
        "Echo", text, id=f"echo-{uuid.uuid4()}", task_queue=queue, memo={"user": text}, static_summary=text
    )
    await handle.signal("hear", text)
    assert await handle.query("all_heard", result_type=list[str]) == [text]
    try:
        result = await handle.result()
    except WorkflowFailureError as error:
        result = str(error.cause.__cause__)
    history = await handle.fetch_history()
    kept = "".join(MessageToJson(event) for event in history.events)
    return str(result), kept


def readable(kept: str) -> str:
    """A history with the data of its payloads taken out of base64."""
    found = re.findall(r'"data": "([^"]+)"', kept)
    return kept + " ".join(base64.b64decode(data).decode(errors="replace") for data in found)


async def test_a_real_temporal_sees_nothing(temporal: Client) -> None:
    converter = data_converter(Settings.from_env({"STICH_PAYLOAD_KEY": KeyRing([new_key()]).text()}))
    encrypted = Client(temporal.service_client, namespace=temporal.namespace, data_converter=converter)
    queue = f"echo-{uuid.uuid4()}"
    async with Worker(
        encrypted, task_queue=queue, workflows=[Echo], activities=[echo], workflow_runner=UnsandboxedWorkflowRunner()
    ):
        result, kept = await run(encrypted, queue, CANARY)
        assert result == CANARY
        assert CANARY not in readable(kept)
        failure, kept = await run(encrypted, queue, f"fail-{CANARY}")
        assert CANARY in failure
        assert CANARY not in readable(kept)
        plain_result, kept = await run(temporal, queue, CANARY)
        assert plain_result == CANARY, "a program without keys can start one and read it"
        assert CANARY in readable(kept)


async def test_encrypted_histories_replay(temporal: Client) -> None:
    converter = data_converter(Settings.from_env({"STICH_PAYLOAD_KEY": KeyRing([new_key()]).text()}))
    client = Client(temporal.service_client, namespace=temporal.namespace, data_converter=converter)
    queue = f"echo-{uuid.uuid4()}"
    async with Worker(
        client, task_queue=queue, workflows=[Echo], activities=[echo], workflow_runner=UnsandboxedWorkflowRunner()
    ):
        handle = await client.start_workflow("Echo", CANARY, id=f"echo-{uuid.uuid4()}", task_queue=queue)
        await handle.signal("hear", CANARY)
        await handle.result()
        history = await handle.fetch_history()
    assert json.loads(history.to_json())["events"]
    replayer = Replayer(workflows=[Echo], data_converter=converter, workflow_runner=UnsandboxedWorkflowRunner())
    await replayer.replay_workflow(history)
