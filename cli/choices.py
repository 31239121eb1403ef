"""What options let choose from, known without loading what knows it: help and completion must be instant.

A test holds all of it equal to what the packages have.
"""

from __future__ import annotations

from typing import Literal

DeviceName = Literal["cpu", "cuda"]
Precision = Literal["float32", "bfloat16", "int8"]
StrategyName = Literal["tournament", "ageing", "random", "pareto"]
ExecutorName = Literal["local", "ray"]
TableFormat = Literal["csv", "json", "parquet", "once-for-all", "nni", "tinynas"]
NetworkFormat = Literal["onnx", "openvino", "torch-export", "standalone"]
ClipLayout = Literal["NTHWC", "NCTHW"]
ScoreKind = Literal["logits", "softmax", "sigmoid"]
Split = Literal["test", "validation", "train", "all"]
HeadName = Literal["mean", "per_frame"]
LogName = Literal["tensorboard", "wandb"]

BACKENDS = ("eager", "cuda-graph", "compile", "onnxruntime", "openvino")
"""The runtimes that come with the package; others join by an entry point."""

SPACES = ("paper", "mobile", "released", "digits")
"""The search spaces that have a name; a file of one's own is no less welcome."""

RECIPES = ("paper", "quick")
"""The recipes of training that have a name; likewise."""

MOMENTS_IN_TIME_CLASSES = 339
"""The outputs of a head where nothing else is said: those of the paper's largest data set."""
