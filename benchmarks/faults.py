"""What a run comes to under each fault: how often it was tried, what was lost, what was said.

    python benchmarks/faults.py [--work runs/faults] [--kills 20] [--only NAME ...] [--seed 0]

Every fault meets a search of six small networks, as the command line runs it, with real clips and trainings.
It is gone on with afterwards. *Lost* are trainings whose fitness is another one or missing, or networks that
count as failed for what was none of their fault, and those of the plan that never came to an end. Faults that
need root (small file systems, quotas, other users) are left out without it. The table of docs/reliability.md
is what this prints.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fault_world import MAIN, World, as_json, lost_and_failed

Row = dict[str, Any]
Fault = Callable[[World, argparse.Namespace], Row | None]
NOBODY = 65534


def main() -> None:
    """Try the faults one after the other."""
    parser = argparse.ArgumentParser(description="What a run comes to under each fault.")
    parser.add_argument("--work", type=Path, default=Path("runs/faults"))
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", choices=sorted(FAULTS), default=sorted(FAULTS))
    arguments = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)  # commands inherit what is ignored here, as under nohup
    world = World(arguments.work)
    rows: list[Row] = []
    print("| fault | tried | lost | what was said |\n|---|---|---|---|")
    for name, fault in FAULTS.items():
        if name not in arguments.only:
            continue
        for left in world.folder.glob("run-*"):
            shutil.rmtree(left)
        row = fault(world, arguments)
        if row is not None:
            rows.append({"fault": name, **row})
            said = row["said"].replace(str(world.folder), "...").replace("|", "\\|")
            print(f"| {name} | {row['tried']} | {row['lost']} | {said} |", flush=True)
    print(as_json(rows))


def killed(world: World, arguments: argparse.Namespace) -> Row:
    """SIGKILL at random moments, again and again, until the run is through it."""
    rng, known = random.Random(arguments.seed), dict[int, float]()
    lost = kills = 0
    run = "run-killed"
    while kills < arguments.kills:
        process = world.start(*world.search(run))
        try:
            process.wait(rng.uniform(0.5, 25.0))
        except subprocess.TimeoutExpired:
            process.kill()
            kills += 1
        process.communicate()
        lost += lost_and_failed(world, run, known)[0]
        known = world.fitnesses(run)
        if process.returncode == 0:
            lost += sum(lost_and_failed(world, run, known)[1:])
            shutil.rmtree(world.folder / run)
            known = {}
    _, said = world.run(*world.search(run))
    lost += sum(lost_and_failed(world, run, known))
    return {"tried": kills, "lost": lost, "said": said}


def _signalled(number: signal.Signals) -> Fault:
    def fault(world: World, arguments: argparse.Namespace) -> Row:
        run = "run-signalled"
        process = world.start(*world.search(run))
        world.wait_until(run, 2, process)
        process.send_signal(number)
        code, said = world.end(process)
        before = world.fitnesses(run)
        world.run("resume", run)
        lost = sum(lost_and_failed(world, run, before))
        return {"tried": 1, "lost": lost, "said": f"{said} (exit {code})", "exit": code}

    return fault


@contextmanager
def _small_disk(world: World, kilobytes: int) -> Iterator[Path]:
    """A file system of its own of that size; a run lies on it."""
    place = world.folder / "run-disk"
    place.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)
        place.rmdir()


def full_disk(world: World, arguments: argparse.Namespace) -> Row | None:
    """Disks that are full at another write each; room is made, and the run goes on."""
    if os.geteuid() != 0:
        return None
    lost, tried, said = 0, 0, dict[str, int]()
    for kilobytes in (16, 60, 120, 200, 300, 420, 560, 800):
        with _small_disk(world, kilobytes) as disk:
            run = disk / "run"
            code, line = world.run(*world.search(run))
            if code == 0:
                break
            tried += 1
            said[line] = said.get(line, 0) + 1
            before = world.fitnesses(run)
            subprocess.run(["mount", "-o", "remount,size=200m", str(disk)], check=True)
            world.run(*world.search(run))
            lost += sum(lost_and_failed(world, run, before))
            parts = [str(path) for path in disk.rglob("*.part")]
            lost += len(parts)
    tracebacks = sum(count for line, count in said.items() if line.startswith("TRACEBACK"))
    return {"tried": tried, "lost": lost, "said": "; or ".join(said), "tracebacks": tracebacks}


def share_away(world: World, arguments: argparse.Namespace) -> Row | None:
    """The folder of weights is gone for eight seconds (an empty read-only file system lies over it)."""
    if os.geteuid() != 0:
        return None
    run = "run-share"
    process = world.start(*world.search(run))
    world.wait_until(run, 2, process)
    weights = world.folder / run / "weights"
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro,size=4k", "tmpfs", str(weights)], check=True)
    time.sleep(8)
    subprocess.run(["umount", "-l", str(weights)], check=True)
    code, said = world.end(process)
    lost = sum(lost_and_failed(world, run, {}))
    history = world.history(run)
    waited = [line for line in history.lines if "waits" in line] if history else []
    return {"tried": 1, "lost": lost, "said": f"{said} (exit {code})", "notes": waited}


def unreadable_checkpoint(world: World, arguments: argparse.Namespace) -> Row:
    """Killed in the middle of trainings; what their checkpoints hold is cut in half."""
    run = "run-checkpoint"
    process = world.start(*world.search(run, "--iterations", 2500))
    checkpoints = world.folder / run / "checkpoints"
    world.wait_for(lambda: any(checkpoints.rglob("checkpoint-*.safetensors")), process)
    process.kill()
    process.communicate()
    before, damaged = world.fitnesses(run), 0
    for path in checkpoints.rglob("checkpoint*"):
        if path.is_file():
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
            damaged += 1
    code, said = world.run("resume", run)
    lost = sum(lost_and_failed(world, run, before))
    return {"tried": damaged, "lost": lost, "said": f"{said} (exit {code})"}


def two_processes(world: World, arguments: argparse.Namespace) -> Row:
    """A second process on a run that is being written."""
    run = "run-two"
    first = world.start(*world.search(run))
    world.wait_until(run, 1, first)
    code, said = world.run("resume", run)
    world.end(first)
    lost = sum(lost_and_failed(world, run, {})) + (code != 2)
    return {"tried": 1, "lost": lost, "said": said}


def _interrupted(world: World, run: str, data: str = "clips") -> dict[int, float]:
    process = world.start(*world.search(run, data=data))
    world.wait_until(run, 2, process)
    process.send_signal(signal.SIGINT)
    world.end(process)
    return world.fitnesses(run)


def other_clips(world: World, arguments: argparse.Namespace) -> Row:
    """Gone on with from another folder, in which other clips have the same name."""
    run, other = "run-clips", world.folder / "run-other"
    before = _interrupted(world, run)
    (other / "clips").mkdir(parents=True)
    code, said = world.run("resume", world.folder / run, cwd=other)
    lost = sum(lost_and_failed(world, run, before)) + (code != 0)
    return {"tried": 1, "lost": lost, "said": said}


def grown_clips(world: World, arguments: argparse.Namespace) -> Row:
    """A clip is added: the run goes on without it."""
    run, clips = "run-grown", world.folder / "run-clips"
    shutil.copytree(world.folder / "clips", clips)
    before = _interrupted(world, run, "run-clips")
    first = next((clips / "train" / "0-up").iterdir())
    shutil.copy(first, first.with_name("added.mp4"))
    code, said = world.run("resume", run)
    lost = sum(lost_and_failed(world, run, before)) + (code != 0)
    return {"tried": 1, "lost": lost, "said": said}


def own_modules(world: World, arguments: argparse.Namespace) -> Row:
    """A folder with a random.py, a queue.py and a statistics.py of the user."""
    here = world.folder / "run-modules"
    here.mkdir()
    for name in ("random", "queue", "statistics"):
        (here / f"{name}.py").write_text(
            f"open({str(here / 'RAN')!r}, 'a').write({name!r}); print('hello')\n"
        )
    places = {"--db": world.folder / "l.sqlite", "--space": world.folder / "space.toml"}
    words = [str(word) for word in world.search(here / "run", data=str(world.folder / "clips"))]
    for option, path in places.items():
        words[words.index(option) + 1] = str(path)
    code, said = world.run(*words, cwd=here)
    lost = sum(lost_and_failed(world, here / "run", {})) + (here / "RAN").exists()
    return {"tried": 1, "lost": lost, "said": f"{said} (exit {code})"}


def no_locks(world: World, arguments: argparse.Namespace) -> Row:
    """A file system that knows no locks: flock raises ENOLCK for a run's files."""
    refuse = (
        "import errno, fcntl\ndef flock(*_): raise OSError(errno.ENOLCK, 'No locks available')\n"
        f"fcntl.flock = flock\n{MAIN}"
    )
    code, said = world.run(*world.search("run-locks"), main=refuse)
    lost = sum(lost_and_failed(world, "run-locks", {})) if code == 0 else 0
    return {"tried": 1, "lost": lost + said.startswith("TRACEBACK"), "said": f"{said} (exit {code})"}


def no_home(world: World, arguments: argparse.Namespace) -> Row | None:
    """A user without a home, as in ``docker --user 65534``: doctor and measure with --db."""
    if os.geteuid() != 0:
        return None
    environment = {
        "HOME": "/nonexistent",
        "XDG_CACHE_HOME": "",
        "XDG_DATA_HOME": "",
        "USER": "",
        "LOGNAME": "",
    }
    said, failed = [], 0
    for words in (("doctor",), ("measure", "tvn-m-1", "--max-seconds", "1")):
        try:
            code, line = world.run(*words, environment=environment, user=NOBODY, cwd=Path("/"))
        except PermissionError:  # this Python is in a folder that others may not enter
            return None
        failed += code != 0
        said.append(f"{words[0]}: {line} (exit {code})")
    return {"tried": len(said), "lost": failed, "said": "; ".join(said)}


def read_only_run(world: World, arguments: argparse.Namespace) -> Row | None:
    """A finished run on a read-only file system is looked at: status, show, pick."""
    if os.geteuid() != 0:
        return None
    run = world.folder / "run-read-only"
    world.run(*world.search(run))
    subprocess.run(["mount", "--bind", str(run), str(run)], check=True)
    subprocess.run(["mount", "-o", "remount,ro,bind", str(run)], check=True)
    try:
        found = [
            world.run(*words) for words in (("status", run), ("show", run), ("pick", run, "--max-ms", 20))
        ]
    finally:
        subprocess.run(["umount", "-l", str(run)], check=True)
    said = [line for code, line in found if code] or [found[0][1]]
    return {"tried": len(found), "lost": sum(code != 0 for code, _ in found), "said": "; ".join(said)}


def quota(world: World, arguments: argparse.Namespace) -> Row | None:
    """A search in a container with 0.4 of a core."""
    group = Path("/sys/fs/cgroup/cpu/tvnsearch-faults")
    if os.geteuid() != 0 or not group.parent.is_dir():
        return None
    group.mkdir(exist_ok=True)
    try:
        (group / "cpu.cfs_quota_us").write_text("40000")
        prefix = ("sh", "-c", f'echo $$ > {group}/cgroup.procs; exec "$0" "$@"')
        code, said = world.run(*world.search("run-quota"), prefix=prefix)
    finally:
        time.sleep(1)
        group.rmdir()
    return {"tried": 1, "lost": int(code != 2), "said": said}


FAULTS: dict[str, Fault] = {
    "kill -9 at a random moment": killed,
    "Ctrl-C": _signalled(signal.SIGINT),
    "SIGTERM": _signalled(signal.SIGTERM),
    "SIGHUP": _signalled(signal.SIGHUP),
    "a disk that is full": full_disk,
    "a share that goes and comes back": share_away,
    "an unreadable checkpoint": unreadable_checkpoint,
    "two processes on one run": two_processes,
    "resumed from a folder with other clips": other_clips,
    "a clip is added": grown_clips,
    "the user's own random.py": own_modules,
    "no file locks": no_locks,
    "no home": no_home,
    "a read-only run": read_only_run,
    "a quota of 0.4 core": quota,
}


if __name__ == "__main__":
    main()
