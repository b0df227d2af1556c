"""What reading a streamed answer costs: stich against a bare httpx + json loop, litellm and pydantic-ai.

The same 5,000-chunk stream from a server in a process of its own, in each dialect; each contender in a process of its
own; CPU time of the reading process, the best of several rounds taken alternately. The alternatives live in an
environment of their own (made on the first run). Exits with 1 when a target is missed:
stich at most 1.3 times the bare loop, and at most a third of each alternative.
"""

import asyncio
import json
import multiprocessing
import os
import subprocess
import sys
from multiprocessing.connection import Connection as Pipe
from pathlib import Path

from tests.fault_server import closing, opening, text

ROOT = Path(__file__).resolve().parents[2]
PEERS = ROOT / ".venv" / "bench"
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
CHUNKS = 5_000
ROUNDS = 5
REPEATS = 3
PEER_ROUNDS = 3
DIALECTS = ("openai", "anthropic", "google")
AT_MOST_BARE, AT_MOST_PEER = 1.3, 1 / 3
CROWD, CROWD_ROUNDS, CROWD_CHUNKS, GROWTH_KIB = 200, 6, 200, 8 * 1024


# --- the server ------------------------------------------------------------------------------------------------------


def _realistic(event: bytes, dialect: str) -> bytes:
    """An event as vendors send it, with the fields around the text that every reader has to pass over."""
    if dialect == "openai":
        around = (
            b'"object":"chat.completion.chunk","created":1754693439,"service_tier":"default",'
            b'"system_fingerprint":"fp_07871e2ad8","usage":null,"obfuscation":"S8ct",'
        )
        return event.replace(b"data: {", b"data: {" + around, 1)
    if dialect == "google":
        usage = b',"usageMetadata":{"promptTokenCount":15,"totalTokenCount":15},"modelVersion":"gemini-2.5-flash"}'
        return event.rstrip().removesuffix(b"}") + usage + b"\r\n\r\n"
    return event


def _stream(dialect: str, chunks: int) -> list[bytes]:
    pieces = [_realistic(text(dialect, f" word{number % 1000}"), dialect) for number in range(chunks)]
    end = closing(dialect)
    if dialect == "google":
        body = json.loads(end[0].removeprefix(b"data: "))
        body["candidates"][0]["content"] = {"parts": [{"text": ""}], "role": "model"}
        end = [b"data: " + json.dumps(body).encode() + b"\r\n\r\n"]
    return [*opening(dialect), *pieces, *end]


async def _serve(pipe: Pipe) -> None:
    bodies = {
        f"{dialect}-{count}": [f"{len(event):x}\r\n".encode() + event + b"\r\n" for event in _stream(dialect, count)]
        for dialect in DIALECTS
        for count in (CHUNKS, CROWD_CHUNKS)
    }

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                length = next((line for line in head.split("\r\n") if line.startswith("content-length:")), ":0")
                await reader.readexactly(int(length.partition(":")[2]))
                name = head.split(" ")[1].split("/")[1]
                writer.write(
                    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
                )
                for number, event in enumerate(bodies[name]):
                    writer.write(event)
                    if number % 4 == 3:  # a few events a packet, as a busy network gives them
                        await writer.drain()
                        await asyncio.sleep(0)
                writer.write(b"0\r\n\r\n")
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    pipe.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


def _run_server(pipe: Pipe) -> None:
    asyncio.run(_serve(pipe))


# --- the contenders --------------------------------------------------------------------------------------------------


def _peers() -> Path | None:
    """The python of the alternatives' environment, made if need be; None where it cannot be made."""
    python = PEERS / "bin" / "python"
    if python.exists():
        return python
    uv = [sys.executable, "-m", "uv"]
    made = subprocess.run([*uv, "venv", "-q", "--python", sys.executable, str(PEERS)], cwd=ROOT, check=False)
    if made.returncode == 0:
        made = subprocess.run(
            [*uv, "pip", "install", "-q", "--python", str(python), "--group", "bench"], cwd=ROOT, check=False
        )
    if made.returncode:
        print("litellm and pydantic-ai could not be installed: they are left out")
        return None
    return python


def _measure(python: Path | str, *arguments: object) -> dict[str, list[float]]:
    done = subprocess.run(
        [str(python), "-m", "tests.bench.model_peers", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{arguments}: {done.stderr[-2000:]}")
    measured: dict[str, list[float]] = json.loads(done.stdout.splitlines()[-1])
    return measured


def main() -> int:
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=_run_server, args=(theirs,), daemon=True)
    server.start()
    port = ours.recv()
    peers = _peers()
    missed = []
    try:
        print(f"{CHUNKS} chunks, CPU milliseconds (and wall), best of {ROUNDS * REPEATS}")
        for dialect in DIALECTS:
            url = f"http://127.0.0.1:{port}/{dialect}-{CHUNKS}"
            contenders = {"bare": sys.executable, "stich": sys.executable}
            if peers is not None:
                contenders |= {"litellm": str(peers), "pydantic-ai": str(peers)}
            cpu: dict[str, float] = {}
            wall: dict[str, float] = {}
            for repeat in range(REPEATS):
                for name, python in contenders.items():
                    if name not in ("bare", "stich") and repeat:
                        continue
                    rounds = ROUNDS if name in ("bare", "stich") else PEER_ROUNDS
                    measured = _measure(python, name, dialect, url, rounds)
                    cpu[name] = min([cpu.get(name, 1e9), *measured["cpu"]])
                    wall[name] = min([wall.get(name, 1e9), *measured["wall"]])
            for name in contenders:
                limit = cpu[name] * (AT_MOST_BARE if name == "bare" else AT_MOST_PEER)
                ratio = cpu["stich"] / cpu[name]
                verdict = "" if name == "stich" else f"  stich takes {ratio:.2f} of it"
                if name != "stich" and cpu["stich"] > limit:
                    verdict += "  MISSED"
                    missed.append(f"{dialect}: {name}")
                print(f"  {dialect:10} {name:12} {cpu[name] * 1000:8.1f} ({wall[name] * 1000:.1f}){verdict}")
        crowd = _measure(sys.executable, "crowd", f"http://127.0.0.1:{port}/openai-{CROWD_CHUNKS}", CROWD, CROWD_ROUNDS)
        growth = crowd["resident_kib"][-1] - crowd["resident_kib"][1]
        print(f"{CROWD} streams at once, {CROWD_ROUNDS} rounds: resident KiB {crowd['resident_kib']}, growth {growth}")
        print(f"  seconds a round: {[round(seconds, 2) for seconds in crowd['wall']]}")
        if growth > GROWTH_KIB:
            missed.append("growth")
    finally:
        server.terminate()
    if missed:
        print("missed:", ", ".join(missed))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
