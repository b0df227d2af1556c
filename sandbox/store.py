"""Installed packages, shared read-only by all workspaces: one folder per exact set, made once by the installer.

The installer runs bun in a sandbox of its own: another user id, a fresh folder with nothing but a package.json of plain
names and versions, no lifecycle scripts, and a network of one address, the package registry.
"""

import asyncio
import contextlib
import hashlib
import json
import platform
import secrets
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

from sandbox.catalogue import Template
from sandbox.egress import Egress
from sandbox.errors import InstallFailed, InstallRefused, PathRefused
from sandbox.files import Folder
from sandbox.isolation import Box, Isolation, Mount, owner_of
from sandbox.machine import bin_folder, programs_folder, registry
from sandbox.process import Finished, run
from sandbox.runs import RunFolder
from sandbox.settings import SandboxSettings
from sandbox.specs import Requirement, Spec, is_exact, parse_requirement, parse_spec, requirements_in
from sandbox.wheels import install_wheels, python_version

_RELAY_PORT = 3128
_MOST_SPECS = 40

Additions: TypeAlias = Sequence[Spec | Requirement]

INSTALLER = owner_of("stich installer")


class Store:
    """The package sets of this machine."""

    def __init__(self, settings: SandboxSettings, isolation: Isolation) -> None:
        self._settings = settings
        self._isolation = isolation
        self._installing = asyncio.Lock()

    def additions(self, template: Template, specs: Sequence[str]) -> Additions:
        """Parse specs, the last of each name counting, without those the template brings. Raises InstallRefused."""
        if len(specs) > _MOST_SPECS:
            raise InstallRefused(f"At most {_MOST_SPECS} packages can be added.")
        if template.requirements:
            brought = requirements_in(template.files["requirements.txt"].decode())
            asked = {wanted.name: wanted for wanted in map(parse_requirement, specs) if wanted.name not in brought}
            return [asked[name] for name in sorted(asked)]
        present = {name for kind in template.package().values() for name in kind}
        wanted = {spec.name: spec for spec in map(parse_spec, specs) if spec.name not in present}
        return [wanted[name] for name in sorted(wanted)]

    def find(self, template: Template, extra: Sequence[Spec]) -> Path | None:
        """The packages of an exact set, where it is installed already."""
        folder = self._settings.store / self._key(template, extra) / "node_modules"
        return folder if folder.is_dir() else None

    async def provide(self, template: Template, additions: Additions) -> tuple[Path, Additions]:
        """Return a set's packages, installing it where missing, and its additions with exact versions.

        Raises InstallFailed, NotPrepared, SandboxUnavailable.
        """
        if template.requirements:
            return await self._provide_python(
                template, [wanted for wanted in additions if isinstance(wanted, Requirement)]
            )
        extra = [spec for spec in additions if isinstance(spec, Spec)]
        if all(spec.exact for spec in extra) and (folder := self.find(template, extra)):
            return folder, extra
        async with self._installing:
            if all(spec.exact for spec in extra) and (folder := self.find(template, extra)):
                return folder, extra
            return await self._install(template, extra)

    async def _install(self, template: Template, extra: Sequence[Spec]) -> tuple[Path, list[Spec]]:
        store = self._settings.store
        staging = store / "staging" / secrets.token_hex(8)
        staging.mkdir(parents=True)
        try:
            self._write_project(staging, template, extra)
            result = await self._run_bun(staging, frozen=bool(template.lock) and not extra)
            if not result.ok or not (staging / "node_modules").is_dir():
                raise InstallFailed(_reason(result, extra))
            exact = [Spec(spec.name, _installed_version(staging, spec.name)) for spec in extra]
            self._write_package(staging, template, exact)
            final = store / self._key(template, exact)
            # Another process may have made the same set meanwhile: theirs is as good.
            with contextlib.suppress(OSError):
                staging.rename(final)
            return final / "node_modules", exact
        finally:
            await asyncio.to_thread(shutil.rmtree, staging, ignore_errors=True)

    async def _provide_python(self, template: Template, extra: Sequence[Requirement]) -> tuple[Path, Additions]:
        """The template's Python packages, named with their hashes, and additions: wheels, so nothing of theirs runs."""
        if all(wanted.exact for wanted in extra) and (folder := self._python_folder(template, extra)).is_dir():
            return folder, [*extra]
        async with self._installing:
            if all(wanted.exact for wanted in extra) and (folder := self._python_folder(template, extra)).is_dir():
                return folder, [*extra]
            staging = self._settings.store / "staging" / secrets.token_hex(8)
            try:
                exact = await install_wheels(template.requirements, extra, staging)
                final = self._python_folder(template, exact)
                # Another process may have made the same set meanwhile: theirs is as good.
                with contextlib.suppress(OSError):
                    staging.rename(final)
                return final, [*exact]
            finally:
                await asyncio.to_thread(shutil.rmtree, staging, ignore_errors=True)

    def _python_folder(self, template: Template, extra: Sequence[Requirement]) -> Path:
        facts = [template.requirements.decode(), platform.machine(), platform.libc_ver()[0], str(python_version())]
        facts += map(str, extra)
        return self._settings.store / hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]

    def _write_project(self, folder: Path, template: Template, extra: Sequence[Spec]) -> None:
        self._isolation.give(folder, INSTALLER)
        self._write_package(folder, template, extra)
        if template.lock:
            Folder(folder, INSTALLER).write("bun.lock", template.lock)

    def _write_package(self, folder: Path, template: Template, extra: Sequence[Spec]) -> None:
        content = {"name": "app", "private": True, "version": "0.0.0", "type": "module", **merged(template, extra)}
        Folder(folder, INSTALLER).write("package.json", json.dumps(content, indent=2).encode() + b"\n")

    async def _run_bun(self, folder: Path, frozen: bool) -> Finished:
        settings = self._settings
        source = registry(settings)
        address = urlsplit(source)
        host, port = address.hostname or "", address.port or (443 if address.scheme == "https" else 80)
        running = RunFolder(settings, 0o711)
        socket = running.path / "out.sock"
        box = Box(
            mounts=(
                Mount(settings.store, "/store", writable=True),
                Mount(bin_folder(settings), "/opt/stich/bin"),
                Mount(programs_folder(settings), "/opt/stich/programs"),
                Mount(running.path, "/run/egress"),
            ),
            owner=INSTALLER,
            limits=settings.installer,
            environment={
                "BUN_INSTALL_CACHE_DIR": self._inside("/store/cache"),
                "BUN_CONFIG_REGISTRY": source,
                "npm_config_registry": source,
                "https_proxy": f"http://127.0.0.1:{_RELAY_PORT}",
                "http_proxy": f"http://127.0.0.1:{_RELAY_PORT}",
                "NODE_EXTRA_CA_CERTS": "/etc/ssl/certs/ca-certificates.crt",
            },
            workdir=f"/store/staging/{folder.name}",
        )
        place = self._isolation.place
        bun = [place(box, "/opt/stich/bin/bun"), "install", "--ignore-scripts", "--no-progress", "--linker", "hoisted"]
        if frozen:
            bun.append("--frozen-lockfile")
        relay = [
            "node",
            place(box, "/opt/stich/programs/relay.mjs"),
            str(_RELAY_PORT),
            place(box, "/run/egress/out.sock"),
        ]
        if not self._isolation.contained:
            # The relay's fixed port is on the machine's own loopback here; bun reaches the registry directly.
            relay, box = [], Box(**{**vars(box), "environment": _without_proxy(box.environment)})
        try:
            async with Egress(socket, frozenset({(host, port)})):
                return await run(self._isolation, [*relay, *bun], box)
        finally:
            running.close()

    def _inside(self, target: str) -> str:
        return target if self._isolation.contained else str(self._settings.store) + target.removeprefix("/store")

    def _key(self, template: Template, extra: Sequence[Spec]) -> str:
        facts = [merged(template, extra), template.lock.decode(), platform.machine(), platform.libc_ver()[0]]
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]


def merged(template: Template, extra: Sequence[Spec]) -> dict[str, dict[str, str]]:
    """The dependency tables of a package.json: the template's and the additions."""
    package = template.package()
    dependencies = {**package["dependencies"], **{spec.name: spec.version for spec in extra}}
    return {**package, "dependencies": dict(sorted(dependencies.items()))}


def _without_proxy(environment: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in environment.items() if not key.endswith("_proxy")}


def _installed_version(folder: Path, name: str) -> str:
    try:
        version = json.loads(Folder(folder, INSTALLER).read(f"node_modules/{name}/package.json"))["version"]
    except (OSError, ValueError, KeyError, PathRefused) as error:
        raise InstallFailed(f"The package {name} was not installed.") from error
    if not isinstance(version, str) or not is_exact(version.partition("+")[0]):
        raise InstallFailed(f"The package {name} has no usable version.")
    return version.partition("+")[0]


def _reason(result: Finished, extra: Sequence[Spec]) -> str:
    lines = [line.strip() for line in (result.stderr + "\n" + result.stdout).splitlines()]
    errors = [line for line in lines if line.lower().startswith("error")]
    wanted = ", ".join(map(str, extra)) or "the template's packages"
    detail = "; ".join(errors[:3])[:500] or result.explain()
    return f"Installing {wanted} failed: {detail}"
