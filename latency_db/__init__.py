"""Layer latencies: collected by the profiler, kept in a store, exchanged as lookup tables."""

from latency_db.profiler import ProfileProgress, profile
from latency_db.reader import StoredDevice, StoredProfile
from latency_db.store import LatencyStore, default_path

__all__ = ["LatencyStore", "ProfileProgress", "StoredDevice", "StoredProfile", "default_path", "profile"]
