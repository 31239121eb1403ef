"""How a device that is somewhere else is named, and what is started for it."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest

from tvnsearch.devices.remote.place import command_to, whereabouts
from tvnsearch.errors import UserError

BOARD = ["-P", "-m", "tvnsearch.devices.remote.board"]


@pytest.mark.parametrize(
    ("words", "processor", "place"),
    [
        ("cpu", "cpu", ""),
        ("tpu", "tpu", ""),
        ("ssh:pi", "cpu", "ssh:pi"),
        ("ssh:user@pi.local", "cpu", "ssh:user@pi.local"),
        ("cuda@ssh:user@jetson", "cuda", "ssh:user@jetson"),
        ("cmd:adb shell python", "cpu", "cmd:adb shell python"),
        ("cuda@cmd:docker exec -i box python", "cuda", "cmd:docker exec -i box python"),
    ],
)
def test_a_device_is_a_processor_at_a_place(words: str, processor: str, place: str) -> None:
    found = whereabouts(words)
    assert (found.processor, found.place) == (processor, place)
    assert found.words == words


def test_a_processor_elsewhere_is_the_cpu_however_it_is_said() -> None:
    assert whereabouts("cpu@ssh:pi") == whereabouts("ssh:pi")


def test_ssh_asks_for_no_password_and_runs_python_there() -> None:
    command = command_to("ssh:user@pi")
    assert command[0] == "ssh"
    assert "BatchMode=yes" in command
    *_, end_of_options, host, there = command
    assert (end_of_options, host) == ("--", "user@pi")
    assert shlex.split(there) == ["python3", *BOARD]


def test_a_command_of_ones_own_is_split_as_a_shell_would_and_never_given_to_one(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    place = f"cmd:echo 'two words' $HOME $(touch {mark}) ; touch {mark}"
    command = command_to(place)
    assert command[:3] == ["echo", "two words", "$HOME"]
    assert command[-3:] == BOARD
    assert subprocess.check_output(command, text=True).startswith("two words $HOME $(touch")
    assert not mark.exists()


def test_the_words_that_are_added_pass_any_shell_unchanged() -> None:
    assert [shlex.quote(word) for word in BOARD] == BOARD


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("ssh:", ["''", "ssh:pi"]),
        ("ssh:-oProxyCommand=touch", ["'-oProxyCommand=touch'", "user@host"]),
        ("ssh:two words", ["'two words'"]),
        ("cmd:", ["nothing came", "cmd:ssh pi"]),
        ("cmd:ssh 'pi", ["no closing quotation", "close its quotes"]),
    ],
)
def test_what_names_no_place_is_one_sentence(place: str, words: list[str]) -> None:
    with pytest.raises(UserError) as error:
        command_to(place)
    assert all(word in str(error.value) for word in words)
    assert "\n" not in str(error.value)
