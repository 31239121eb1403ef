"""The genome as a torch module."""

from tvnsearch.network.build import TinyVideoNetwork, build_network
from tvnsearch.network.deploy import deployed
from tvnsearch.network.packing import pack

__all__ = ["TinyVideoNetwork", "build_network", "deployed", "pack"]
