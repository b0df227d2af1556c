"""Which build of stich a worker runs, as Temporal knows it, and how sessions move from one build to the next."""

import hashlib
from functools import cache
from pathlib import Path
from typing import Final

from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.worker import WorkerDeploymentConfig

import stich
from stich.settings import Settings

CODE: Final = ("schemas", "codegen", "inference", "storage", "sandbox", "activities", "workflows", "stich")
UNVERSIONED: Final = "stich"
"""The deployment's name where builds are only told, not kept apart."""


def build_id(settings: Settings) -> str:
    """STICH_BUILD_ID, else the version with a digest of the code."""
    return settings.build_id or f"{stich.__version__}-{code_digest()}"


@cache
def code_digest() -> str:
    """The same for the same code, on every machine."""
    root, digest = Path(stich.__file__).parent.parent, hashlib.sha256()
    for room in CODE:
        for path in sorted((root / room).rglob("*.py")):
            digest.update(f"{path.relative_to(root)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def deployment(settings: Settings) -> WorkerDeploymentConfig:
    """How a worker presents itself.

    With STICH_DEPLOYMENT set, Temporal gives tasks to the build that was made the deployment's current one, and
    sessions go over to it with their next task (auto-upgrade): they live for weeks, mostly at rest, so that pinning
    them would keep every old build running for as long. That the new build can go on with them is what
    `stich replay-gate` shows.
    """
    return WorkerDeploymentConfig(
        version=WorkerDeploymentVersion(settings.deployment or UNVERSIONED, build_id(settings)),
        use_worker_versioning=settings.deployment is not None,
        default_versioning_behavior=VersioningBehavior.AUTO_UPGRADE
        if settings.deployment is not None
        else VersioningBehavior.UNSPECIFIED,
    )


def told_only(settings: Settings) -> WorkerDeploymentConfig:
    """For the queue of one host, which every build on that host serves: a deployment counts only so many queues."""
    return deployment(settings.model_copy(update={"deployment": None}))
