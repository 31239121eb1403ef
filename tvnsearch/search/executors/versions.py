"""What has to be the same on every machine that trains: tvnsearch, torch and Python."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

from tvnsearch.errors import UserError

PACKAGES = ("tvnsearch", "torch")


def versions_here() -> dict[str, str]:
    """By name; nothing is imported for it.

    Builds of one version (torch for CPUs or for CUDA) and patches of one Python are alike.
    """
    python = ".".join(platform.python_version_tuple()[:2])
    return {name: _installed(name) for name in PACKAGES} | {"Python": python}


def check_versions(theirs: Mapping[str, str], machine: str) -> None:
    """Make sure that ``machine`` has the versions of this one.

    Raises:
        UserError: one is different.
    """
    for name, ours in versions_here().items():
        if theirs[name] != ours:
            raise UserError(
                f"expected {name} {ours} on {machine}, as on this machine, but it has {theirs[name]}; "
                "install the same versions everywhere"
            )


def _installed(package: str) -> str:
    try:
        return version(package).partition("+")[0]
    except PackageNotFoundError:
        return "none"
