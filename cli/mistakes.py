"""What the parser of the command line finds wrong, in one sentence that reads like those of the commands."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import typer

_DECIMAL_COMMA = re.compile(r"'\d+,\d+'")


def mistake_line(error: typer.TyperException, command: str) -> str:
    """The line for a mistake in the words after ``command``: what is expected, what came, what to do."""
    sentence, instead = _sentence(error, command)
    say = f"say {_either(instead)}, or see" if instead else "see"
    return " ".join(f"{sentence}; {say} `{command} --help`".split())


def _sentence(error: typer.TyperException, command: str) -> tuple[str, Sequence[str]]:
    """The mistake in our words, and what may have been meant; in the parser's own words if it is a rare one.

    typer does not export its kinds of mistakes, so they are known by their names and their words.
    """
    message = error.format_message().rstrip(".")
    option: str = getattr(error, "option_name", "")
    param: Any = getattr(error, "param", None)
    sentence, instead = message, list[str]()
    match type(error).__name__:
        case "NoSuchOption":
            sentence = f"expected an option of `{command}`, but got {option}"
            instead = list(getattr(error, "possibilities", None) or [])
        case "UsageError" if message.startswith("No such command"):
            given, *instead = re.findall("'([^']*)'", message)
            sentence = f"expected a command of `{command}`, but got {given}"
        case "UsageError" if message.startswith("Got unexpected extra argument"):
            sentence = f"expected nothing more, but got {message.partition('(s) (')[2].rstrip(')')}"
        case "MissingParameter" if param is not None:
            sentence = f"expected {_written(param)}, but got nothing"
        case "BadOptionUsage" if "requires" in message:
            sentence = f"expected a value after {option}, but got nothing"
        case "BadOptionUsage" if "does not take" in message:
            sentence = f"expected {option} alone, but got a value with it"
        case "BadParameter" if param is not None and _wanted(param):
            given = _given(error)
            comma = " with a comma in place of a decimal point" if _DECIMAL_COMMA.fullmatch(given) else ""
            sentence = f"expected {_label(param)} to be {_wanted(param)}, but got {given}{comma}"
    return sentence, instead


def _label(param: Any) -> str:
    """What users call an option or an argument."""
    return str(param.opts[0]) if param.param_type_name == "option" else str(param.metavar or param.name)


def _written(param: Any) -> str:
    """How an option or an argument is written, with its value."""
    label = _label(param)
    return f"{label} {param.metavar or 'VALUE'}" if param.param_type_name == "option" else label


def _wanted(param: Any) -> str | None:
    """The values that are right for ``param``; None where more than a choice or a number is to be said."""
    kind = param.type_descriptor
    if kind.choices:
        return _either([str(choice) for choice in kind.choices])
    nouns = {int: "a whole number", float: "a number"}
    if kind.annotation not in nouns:
        return None
    least, most = kind.parameter_info.min, kind.parameter_info.max
    bounds = {
        (True, True): f" of {least} to {most}",
        (True, False): f" of {least} or more",
        (False, True): f" of {most} or less",
        (False, False): "",
    }
    return nouns[kind.annotation] + bounds[least is not None, most is not None]


def _given(error: typer.TyperException) -> str:
    """The value that came, which only the error below the parser's has."""
    cause: Any = error.__cause__
    try:
        return f"'{cause.errors()[0]['input']}'"
    except (AttributeError, IndexError, KeyError):
        return "another value"


def _either(choices: Sequence[str]) -> str:
    *others, last = choices
    return f"{', '.join(others)} or {last}" if others else last
