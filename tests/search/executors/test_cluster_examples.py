"""The example files of docs/search.md are what KubeRay and Slurm read, and their commands are ours."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from cli.main import app

EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"


def documents(name: str) -> list[Any]:
    yaml = pytest.importorskip("yaml")
    return list(yaml.safe_load_all((EXAMPLES / name).read_text()))


def commands(script: str) -> Iterator[list[str]]:
    joined = re.sub(r"\\\n|\|\|\n", " ", script)
    for found in re.finditer(r"\btvnsearch (?:profile|evolve) [^;\n\"']*", joined):
        yield shlex.split(found[0])[1:]


def check_commands(script: str) -> dict[str, dict[str, Any]]:
    """The options of each command by its name; one that is not known is a usage error."""
    parsed = {}
    group = typer.main.get_command(app)
    for name, *words in commands(script):
        context = group.commands[name].make_context(name, words)  # type: ignore[attr-defined]
        parsed[name] = context.params
    return parsed


def test_the_job_of_kuberay_shares_a_volume_and_scales_from_none() -> None:
    job, claim = documents("kuberay.yaml")
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    cluster = job["spec"]["rayClusterSpec"]
    head, (group,) = cluster["headGroupSpec"], cluster["workerGroupSpecs"]
    assert cluster["enableInTreeAutoscaling"] is True
    assert head["rayStartParams"] == {"num-cpus": "0"}
    assert (group["minReplicas"], group["replicas"], group["maxReplicas"]) == (0, 0, 8)
    pods = [one["template"]["spec"] for one in (head, group)]
    images = {container["image"] for pod in pods for container in pod["containers"]}
    assert len(images) == 1
    for pod in pods:
        (container,), (volume,) = pod["containers"], pod["volumes"]
        assert container["volumeMounts"] == [{"name": volume["name"], "mountPath": "/shared"}]
        assert volume["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
        assert container["resources"]["requests"] == container["resources"]["limits"]
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]


def test_the_job_of_kuberay_runs_commands_that_there_are() -> None:
    job, _ = documents("kuberay.yaml")
    words = shlex.split(job["spec"]["entrypoint"])
    assert words[:2] == ["sh", "-ec"]
    assert len(words) == 3
    subprocess.run(["sh", "-n", "-c", words[2]], check=True)
    options = check_commands(words[2])
    assert options["profile"]["db"] == options["evolve"]["db"]
    assert options["evolve"]["address"] == "auto"


def test_the_script_for_slurm_is_one() -> None:
    script = EXAMPLES / "slurm.sh"
    subprocess.run(["bash", "-n", script], check=True)
    text = script.read_text()
    assert re.findall(r"^#SBATCH --([a-z-]+)", text, re.MULTILINE)[:3] == [
        "job-name",
        "nodes",
        "ntasks-per-node",
    ]
    options = check_commands(text)
    assert options["profile"]["threads"] == options["evolve"]["threads"] == 2
    assert options["evolve"]["address"] == "auto"


@pytest.mark.parametrize("example", ["kuberay.yaml", "slurm.sh"])
def test_a_job_that_was_ended_while_it_profiled_goes_on_with_that(example: str, tmp_path: Path) -> None:
    if example.endswith(".yaml"):
        script = shlex.split(documents(example)[0]["spec"]["entrypoint"])[2].replace("/shared", ".")
    else:
        script = (EXAMPLES / example).read_text().partition("bash -ec '")[2].rpartition("'")[0]
    command = tmp_path / "tvnsearch"
    command.write_text("#!/bin/sh\necho $1 >> commands\ntouch latency.sqlite\n[ ! -e ended ]\n")
    command.chmod(0o755)
    (tmp_path / "ended").touch()
    for _ in range(2):
        environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
        subprocess.run(["sh", "-ec", script], cwd=tmp_path, env=environment, check=False)
        (tmp_path / "ended").unlink(missing_ok=True)
    assert (tmp_path / "commands").read_text().split() == ["profile", "profile", "evolve"]


def test_ray_has_the_launcher_that_the_script_uses() -> None:
    pytest.importorskip("ray", reason="Ray is not installed; `pip install 'tvnsearch[ray]'` to test it")
    from ray.scripts.scripts import cli

    launcher = cli.commands["symmetric-run"]
    used = set(re.findall(r"--(?:address|min-nodes)\b", (EXAMPLES / "slurm.sh").read_text()))
    assert used - {"--address"} <= {name for option in launcher.params for name in option.opts}
