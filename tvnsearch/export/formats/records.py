"""What is known of each format without loading its packages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast

import numpy as np
from msgspec import Struct

from tvnsearch.errors import UserError, in_one_line

if TYPE_CHECKING:
    from tvnsearch.export.options import GraphOptions
    from tvnsearch.network.build import TinyVideoNetwork

Array = np.ndarray[Any, Any]


class Format(Struct, frozen=True):
    """A format of files, or of a ``folder`` with files of these names.

    ``runtime`` is what runs it, as people call it; ``suffixes`` are those of its files, the first that of
    the file which a user names; ``module`` writes and opens it; its packages come with ``extra``, an extra of
    this one, or None where torch alone is needed; ``backend`` is that of devices which runs such files;
    it ``quantises`` where it can be written in int8.
    """

    name: str
    runtime: str
    suffixes: tuple[str, ...]
    module: str
    extra: str | None = None
    folder: bool = False
    backend: str | None = None
    quantises: bool = False

    def places(self, path: Path) -> dict[str, Path]:
        """Where its files lie, by suffix or name, if ``path`` is what a user names."""
        if self.folder:
            return {name: path / name for name in self.suffixes}
        return {suffix: path.with_suffix(suffix) for suffix in self.suffixes}

    @property
    def requirement(self) -> str:
        """What pip installs, with its packages."""
        return f"tvnsearch[{self.extra}]" if self.extra else "tvnsearch"


FORMATS = {
    each.name: each
    for each in (
        Format(
            "onnx",
            "ONNX Runtime",
            (".onnx",),
            "tvnsearch.export.formats.onnx",
            "onnx",
            backend="onnxruntime",
            quantises=True,
        ),
        Format(
            "openvino",
            "OpenVINO",
            (".xml", ".bin"),
            "tvnsearch.export.formats.openvino",
            "openvino",
            backend="openvino",
            quantises=True,
        ),
        Format("torch-export", "torch.export", (".pt2",), "tvnsearch.export.formats.torch_export"),
        Format(
            "standalone",
            "plain torch",
            ("model.py", "weights.safetensors", "labels.json", "demo.py"),
            "tvnsearch.export.formats.standalone",
            folder=True,
        ),
    )
}


class Opened(NamedTuple):
    """A file in its runtime: the shape of a pass's clips (-1: any number), their type, and a pass.

    ``metadata`` are what it tells of itself; of a file that other tools wrote perhaps nothing.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    run: Callable[[Array], Array]
    metadata: Mapping[str, str]


class Runtime(Protocol):
    """What the module of a format has."""

    def written(
        self,
        network: TinyVideoNetwork,
        options: GraphOptions,
        metadata: Mapping[str, str],
        calibration: Sequence[Array] = (),
    ) -> dict[str, bytes]:
        """The contents of the files for a folded network, by suffix.

        In int8, where the format has it, by the ranges on ``calibration``: clips as the file takes them.
        """
        ...

    def opened(self, files: Mapping[str, bytes], threads: int) -> Opened:
        """The files in their runtime, on the CPU with so many threads, in float32."""
        ...


def format_of_backend(name: str) -> Format | None:
    """The format of files that a backend of devices runs; None where it runs torch."""
    return next((each for each in FORMATS.values() if each.backend == name), None)


def format_of(path: Path) -> Format:
    """The format of a file by its suffix.

    Raises:
        UserError: it is none.
    """
    for each in FORMATS.values():
        if each.folder and path.is_dir():
            return each
        if path.suffix.lower() == each.suffixes[0]:
            return each
    known = ", ".join(f"{each.suffixes[0]} ({each.name})" for each in FORMATS.values())
    raise UserError(f"expected an exported network, {known}, but got {path}")


def open_export(path: Path, threads: int) -> Opened:
    """The exported file at ``path`` in the runtime of its format, on the CPU with so many threads.

    Raises:
        UserError: it is of no known format, packages are missing, or it cannot be read or run.
    """
    file_format = format_of(path)
    runtime = loaded(file_format)
    try:
        files = {suffix: place.read_bytes() for suffix, place in file_format.places(path).items()}
    except OSError as error:
        raise UserError(
            f"expected an exported network in {path}, but {error.filename} cannot be read ({error.strerror}"
            "); write one with `tvnsearch export`"
        ) from None
    try:
        return runtime.opened(files, threads)
    except Exception as error:
        raise UserError(
            f"expected an exported network in {path}, but {file_format.runtime} does not open it "
            f"({in_one_line(error)}); export it again"
        ) from error


def loaded(file_format: Format) -> Runtime:
    """The module of a format.

    Raises:
        UserError: packages that it needs are missing, or broken.
    """
    try:
        return cast(Runtime, import_module(file_format.module))
    except Exception as error:
        raise UserError(
            f"expected the packages of --format {file_format.name}, but importing them failed "
            f"({in_one_line(error)}); install them with `pip install '{file_format.requirement}'`"
        ) from error
