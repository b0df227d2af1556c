"""Pushing a repository in memory to another server, by git's smart protocol over HTTP.

https://git-scm.com/docs/gitprotocol-http and https://git-scm.com/docs/gitprotocol-pack
"""

import asyncio
import io
from typing import Final, NamedTuple

import httpx
from dulwich.object_format import DEFAULT_OBJECT_FORMAT
from dulwich.objects import ObjectID
from dulwich.pack import write_pack_data
from dulwich.protocol import pkt_line
from dulwich.repo import MemoryRepo

NOTHING: Final = b"0" * 40
LARGEST_ANSWER: Final = 1024 * 1024
SERVICE: Final = "git-receive-pack"


class PushRefused(Exception):
    """The server does not take the push; the sentence says why."""


class Diverged(PushRefused):
    """The branch has commits there that this repository does not know."""


class Remote(NamedTuple):
    """A repository elsewhere: its address, without `.git` and credentials, and what opens it."""

    url: str
    user: str
    password: str


async def push(
    client: httpx.AsyncClient, remote: Remote, repository: MemoryRepo, head: ObjectID, branch: str
) -> str | None:
    """Make `head` the end of the branch there. Returns what it was before, None where there was no such branch.

    Raises Diverged, PushRefused, and what httpx raises.
    """
    ref = f"refs/heads/{branch}".encode()
    auth = httpx.BasicAuth(remote.user, remote.password)
    answer = await client.get(f"{remote.url}.git/info/refs", params={"service": SERVICE}, auth=auth)
    refs = _refs(_ok(answer).content)
    old = refs.get(ref, NOTHING)
    if old == head:
        return head.decode()
    store = repository.object_store
    if old != NOTHING and ObjectID(old) not in store:
        raise Diverged(f"The branch {branch} has commits there that the session does not have.")
    have = [ObjectID(sha) for sha in {*refs.values()} if ObjectID(sha) in store]
    pack = await asyncio.to_thread(_pack, repository, have, head)
    command = pkt_line(b"%s %s %s\0report-status agent=stich" % (old, head, ref)) + pkt_line(None)
    headers = {"content-type": f"application/x-{SERVICE}-request", "accept": f"application/x-{SERVICE}-result"}
    answer = await client.post(f"{remote.url}.git/{SERVICE}", content=command + pack, headers=headers, auth=auth)
    _check_report(_ok(answer).content, ref)
    return None if old == NOTHING else old.decode()


def _pack(repository: MemoryRepo, have: list[ObjectID], head: ObjectID) -> bytes:
    count, records = repository.object_store.generate_pack_data(have, [head])
    out = io.BytesIO()
    write_pack_data(out.write, records, DEFAULT_OBJECT_FORMAT, num_records=count)
    return out.getvalue()


def _ok(answer: httpx.Response) -> httpx.Response:
    if answer.status_code in (401, 403):
        raise PushRefused("The server does not let this token push.")
    if answer.status_code != 200:
        raise PushRefused(f"The server answered with status {answer.status_code}.")
    if len(answer.content) > LARGEST_ANSWER:
        raise PushRefused("The server's answer is too large.")
    return answer


def _refs(content: bytes) -> dict[bytes, bytes]:
    found = {}
    for line in _lines(content):
        sha, _, name = line.split(b"\0", 1)[0].strip().partition(b" ")
        if len(sha) == 40 and name.startswith(b"refs/"):
            found[name] = sha
    return found


def _check_report(content: bytes, ref: bytes) -> None:
    """Raises PushRefused unless the server says that it unpacked everything and moved the branch."""
    lines = [line.strip() for line in _lines(content)]
    if b"unpack ok" not in lines or b"ok " + ref not in lines:
        said = next((line for line in lines if line.startswith((b"ng ", b"unpack "))), b"nothing")
        raise PushRefused(f"The server did not take the push; it said: {said.decode(errors='replace')[:200]}")


def _lines(content: bytes) -> list[bytes]:
    """The packet lines of an answer, those between flushes too. Raises PushRefused."""
    found, at = [], 0
    while at < len(content):
        try:
            length = int(content[at : at + 4], 16)
        except ValueError:
            raise PushRefused("The server does not follow git's protocol.") from None
        if length >= 4:
            found.append(content[at + 4 : at + length])
        at += max(length, 4)
    return found
