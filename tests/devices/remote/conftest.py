"""A board: this machine, behind an ssh server of its own on loopback, with a folder of its own."""

from __future__ import annotations

import getpass
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SSHD = shutil.which("sshd", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"]))


class Board:
    """A machine that is reached over ssh, what it is called, and its server's process."""

    def __init__(self, folder: Path, server: subprocess.Popen[bytes]) -> None:
        self._folder, self._server = folder, server

    @property
    def place(self) -> str:
        """As a user with an alias in the configuration of ssh names it; :func:`ssh` gives it that."""
        return "ssh:board"

    def command(self, *python: str) -> str:
        """As a user names it by a command, with the words that start its Python."""
        return f"cmd:ssh -F {shlex.quote(str(self._folder / 'config'))} board {shlex.join(python)}"

    @property
    def own_python(self) -> str:
        """By a command that starts the Python of these tests, with this source."""
        return self.command("env", f"PYTHONPATH={ROOT}", sys.executable)

    def cut(self) -> None:
        """Kill what serves each connection, as a machine that loses its power does."""
        for session in _children(self._server.pid):
            os.kill(session, signal.SIGKILL)


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Board]:
    if SSHD is None or shutil.which("ssh") is None:
        pytest.skip("there is no ssh server: apt-get install openssh-server openssh-client")
    folder = tmp_path_factory.mktemp("board")
    for name in ("host", "user"):
        keygen = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(keygen, check=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    there = folder / "bin"
    there.mkdir()
    python = there / "python3"
    python.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
    python.chmod(0o755)
    login = folder / "login"  # whatever the shell of the user who runs these tests sets
    login.write_text(
        f"#!/bin/sh\nexport PATH={shlex.quote(f'{there}:/usr/bin:/bin')} PYTHONPATH={shlex.quote(str(ROOT))} "
        f'XDG_STATE_HOME={shlex.quote(str(folder))}\nexec sh -c "$SSH_ORIGINAL_COMMAND"\n'
    )
    login.chmod(0o755)
    (folder / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\n"
        f"AuthorizedKeysFile {folder}/user.pub\nPidFile none\nStrictModes no\nUsePAM no\n"
        f"PasswordAuthentication no\nForceCommand {folder}/login\n"
    )
    (folder / "config").write_text(
        f"Host board\n  HostName 127.0.0.1\n  Port {port}\n  User {getpass.getuser()}\n"
        f"  IdentityFile {folder}/user\n  IdentitiesOnly yes\n  UserKnownHostsFile {folder}/known\n"
        "  StrictHostKeyChecking accept-new\n"
    )
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(
            exist_ok=True
        )  # where the server of root locks itself in; a container lacks it
    log = folder / "log"
    with log.open("wb") as written:
        server = subprocess.Popen([SSHD, "-D", "-e", "-f", str(folder / "sshd_config")], stderr=written)
    try:
        while "listening" not in log.read_text():
            if server.poll() is not None:
                pytest.skip(f"the ssh server does not start: {log.read_text().strip()}")
            time.sleep(0.05)
        yield Board(folder, server)
    finally:
        server.terminate()
        server.wait()


@pytest.fixture
def board(sshd: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Board:
    """The board, with an ``ssh`` that knows it: ssh itself reads the configuration of the real user alone."""
    config, ssh = sshd._folder / "config", tmp_path / "bin" / "ssh"
    ssh.parent.mkdir()
    ssh.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {shlex.quote(str(config))} "$@"\n')
    ssh.chmod(0o755)
    monkeypatch.setenv("PATH", str(ssh.parent), prepend=os.pathsep)
    return sshd
