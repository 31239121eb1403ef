"""The way into a Ray cluster: from a machine that is part of it, or through its client server."""

from __future__ import annotations

import os
import socket
from contextlib import chdir
from importlib.util import find_spec

import ray

from tvnsearch.errors import UserError

CONNECT_SECONDS = 10.0

CLIENT = "ray://"
"""What addresses of the client server begin with: the driver is then no part of the cluster itself."""


def meant_address(address: str) -> str:
    """What ``auto`` means, or else ``address``."""
    return os.environ.get("RAY_ADDRESS", "") or address if address == "auto" else address


def head_address(address: str) -> str:
    """Where the head answers of the cluster that was joined by ``address``."""
    meant = meant_address(address)
    return meant if meant.startswith(CLIENT) else str(ray.get_runtime_context().gcs_address)


def connect(address: str) -> None:
    """Join the cluster at ``address``: ``host:port``, ``ray://host:port``, or ``auto``.

    ``auto`` is the one in RAY_ADDRESS, or else that this machine is part of.

    Raises:
        UserError: there is none, or Ray's client is not installed.
    """
    meant = meant_address(address)
    try:
        place = host_and_port(meant)
        if place is not None:  # Ray itself would go on trying for minutes
            socket.create_connection(place, CONNECT_SECONDS).close()
        if meant.startswith(CLIENT) and find_spec("grpc") is None:
            raise UserError(
                f"expected Ray's client for {meant}, but it is not installed; run `pip install 'ray[client]'`"
            )
        with chdir("/"):  # workers would import from the folder that this is called in, which is the user's
            ray.init(address=meant, ignore_reinit_error=True, log_to_driver=False)
    except (OSError, ValueError, RuntimeError, ImportError) as error:
        reason = str(error).partition("\n")[0]
        raise UserError(
            f"expected a Ray cluster at {meant}, but there is none to join ({reason}); start one with "
            "`ray start --head`, or give its --address: host:6379 on a machine of the cluster, or "
            "ray://host:10001 from outside"
        ) from None


def host_and_port(address: str) -> tuple[str, int] | None:
    """Where ``address`` leads, if it says so; IPv6 hosts are in brackets.

    Raises:
        ValueError: it is one of a client server without a port.
    """
    host, _, port = address.removeprefix(CLIENT).rpartition(":")
    if host and port.isdecimal():
        return host.removeprefix("[").removesuffix("]"), int(port)
    if address.startswith(CLIENT):
        raise ValueError("it has no port, such as 10001")
    return None


def is_client() -> bool:
    """Whether the driver is outside the cluster, and reaches it through its client server."""
    return bool(ray.util.client.ray.is_connected())
