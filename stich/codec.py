"""What Temporal keeps is encrypted: inputs, results, signals, query answers, memos, summaries and failures.

Only search attributes and the names of things stay readable, which operators filter by. Every client and worker of one
installation has the same keys; `api.codec_routes` opens payloads for Temporal's web page.
"""

import zlib
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final, Self

from temporalio.api.common.v1 import Payload
from temporalio.converter import (
    ActivitySerializationContext,
    PayloadCodec,
    SerializationContext,
    WithSerializationContext,
    WorkflowSerializationContext,
)

from storage.keyring import KeySource, UnusableKey, seal, unseal

ENCODING: Final = b"binary/encrypted"
CIPHER: Final = b"AES-256-GCM"
COMPRESSED_FROM: Final = 1_024
"""Bytes: what is shorter is hardly made smaller."""
LARGEST: Final = 64_000_000
"""Bytes that a payload may have when it is expanded: more than Temporal takes."""
REMEMBERED: Final = 100_000


class EncryptionCodec(PayloadCodec, WithSerializationContext):
    """Encrypts payloads with the current key, and opens those of every key at hand.

    A program without keys may start a session: what it sent is read as it is, and the session then answers in the
    clear, so that the program can read it. Whatever a session got first decides.
    """

    def __init__(self, keys: KeySource) -> None:
        self._keys = keys
        self._plain: OrderedDict[str, bool] = OrderedDict()
        self._workflow_id: str | None = None

    def with_context(self, context: SerializationContext) -> Self:
        """The same codec, for the payloads of one workflow."""
        bound = type(self)(self._keys)
        bound._plain = self._plain
        if isinstance(context, WorkflowSerializationContext | ActivitySerializationContext):
            bound._workflow_id = context.workflow_id
        return bound

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        if self._workflow_id is not None and self._plain.get(self._workflow_id, False):
            return list(payloads)
        return [self._encrypt(payload) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Raises UnusableKey where no key at hand opens a payload, or it was changed."""
        if self._workflow_id is not None and payloads and self._workflow_id not in self._plain:
            self._plain[self._workflow_id] = not _is_ours(payloads[0])
            if len(self._plain) > REMEMBERED:
                self._plain.popitem(last=False)
        return [self._decrypt(payload) if _is_ours(payload) else payload for payload in payloads]

    def _encrypt(self, payload: Payload) -> Payload:
        ring = self._keys.ring()
        key = ring.key(ring.current)
        assert key is not None
        content, packing = payload.SerializeToString(), b"none"
        if len(content) >= COMPRESSED_FROM and len(smaller := zlib.compress(content, 1)) < len(content):
            content, packing = smaller, b"zlib"
        key_id = ring.current.encode()
        metadata = {"encoding": ENCODING, "cipher": CIPHER, "key-id": key_id, "packing": packing}
        return Payload(metadata=metadata, data=seal(key, content, _bound(key_id, packing)))

    def _decrypt(self, payload: Payload) -> Payload:
        key_id, packing = payload.metadata["key-id"], payload.metadata["packing"]
        key = self._keys.ring().key(key_id.decode(errors="replace"))
        if key is None:
            raise UnusableKey("a payload was encrypted with a key that is not at hand")
        content = unseal(key, payload.data, _bound(key_id, packing))
        if packing == b"zlib":
            unpacker = zlib.decompressobj()
            content = unpacker.decompress(content, LARGEST)
            if unpacker.unconsumed_tail:
                raise UnusableKey("a payload is larger than it may be")
        return Payload.FromString(content)


def _is_ours(payload: Payload) -> bool:
    """Whether a payload was encrypted here; others may use the same encoding's name for something else."""
    return payload.metadata.get("encoding") == ENCODING and payload.metadata.get("cipher") == CIPHER


def _bound(key_id: bytes, packing: bytes) -> bytes:
    return b"stich payload 1 " + key_id + b" " + packing
