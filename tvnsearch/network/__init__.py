"""The genome as a torch module."""

from tvnsearch.network.build import TinyVideoNetwork, build_network
from tvnsearch.network.deploy import deployed, deployed_on_processor
from tvnsearch.network.packing import pack

__all__ = ["TinyVideoNetwork", "build_network", "deployed", "deployed_on_processor", "pack"]
