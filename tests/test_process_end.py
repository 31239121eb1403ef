"""The kernel's count of kills for lack of memory, from small trees of its files."""

from __future__ import annotations

from pathlib import Path

import pytest

from tvnsearch.process_end import described_end, memory_kills, was_memory


def written(root: Path, **files: str) -> Path:
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("_DOT_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


EVENTS = "low 0\nhigh 0\nmax 12\noom 2\noom_kill {}\noom_group_kill 0\n"


def test_kills_are_counted_by_the_group_of_the_process(tmp_path: Path) -> None:
    root = written(tmp_path, proc__vmstat="nr_free_pages 7\noom_kill 90\n")
    assert memory_kills(root) == 90
    written(root, proc__self__cgroup="0::/kube/pod\n")
    assert memory_kills(root) == 90
    written(root, sys__fs__cgroup__memory_DOT_events=EVENTS.format(5))  # as a container sees its own group
    assert memory_kills(root) == 5
    written(root, sys__fs__cgroup__kube__pod__memory_DOT_events=EVENTS.format(2))
    assert memory_kills(root) == 2


def test_groups_of_version_1_count_too(tmp_path: Path) -> None:
    root = written(
        tmp_path,
        proc__self__cgroup="9:name=systemd:/\n4:cpu,memory:/box\n1:cpu:/\n",
        sys__fs__cgroup__memory__box__memory_DOT_oom_control="oom_kill_disable 0\nunder_oom 0\noom_kill 3\n",
    )
    assert memory_kills(root) == 3


def test_a_kernel_that_counts_nothing_is_not_asked_for_a_cause(tmp_path: Path) -> None:
    assert memory_kills(tmp_path) is None
    assert not was_memory(-9, None, None)


@pytest.mark.parametrize(
    ("code", "before", "now", "said"),
    [
        (-9, 1, 2, "lack of memory"),
        (-9, 1, 1, "ended with code -9 (SIGKILL)"),
        (-11, 1, 2, "ended with code -11 (SIGSEGV)"),
        (1, 1, 2, "ended with code 1"),
    ],
)
def test_only_a_kill_that_the_kernel_counted_is_for_memory(
    code: int, before: int, now: int, said: str
) -> None:
    end = described_end(code, was_memory(code, before, now))
    assert said in end
    assert ("memory" in end) == (said == "lack of memory")
