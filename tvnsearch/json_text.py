"""JSON of whatever names files have: JSON is text, and a name of a file is bytes."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec


def json_of(data: Any) -> str:
    """``data`` as JSON in one line.

    A byte of a file's name that is no UTF-8 comes as Python writes it in text, ``\\xe9``: JSON has no bytes.
    """
    try:
        return msgspec.json.encode(data).decode()
    except UnicodeEncodeError:
        plain = json.dumps(msgspec.to_builtins(data, str_keys=True))
        finite = json.loads(plain, parse_constant=lambda _: None)  # as msgspec has it
        return _NO_TEXT.sub(_written_byte, json.dumps(finite, ensure_ascii=False))


_NO_TEXT = re.compile("[\ud800-\udfff]")
"""Halves of surrogate pairs; Python reads a byte that is no UTF-8 as one of the last 128."""


def _written_byte(half: re.Match[str]) -> str:
    return f"\\\\x{ord(half[0]) - 0xDC00:02x}" if half[0] >= "\udc80" else "\ufffd"
