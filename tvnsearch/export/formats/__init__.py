"""The formats of an exported network: a record each, and a module that writes it and runs it."""

from tvnsearch.export.formats.records import (
    FORMATS,
    Format,
    Opened,
    format_of,
    format_of_backend,
    loaded,
    open_export,
)

__all__ = ["FORMATS", "Format", "Opened", "format_of", "format_of_backend", "loaded", "open_export"]
