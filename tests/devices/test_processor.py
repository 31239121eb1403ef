"""What names a processor and its kinds of cores, from the files of machines that have them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from tvnsearch.devices.processor import cache_sizes, core_kind, processor_family, processor_model

PI_FEATURES = "fp asimd evtstrm crc32 cpuid"
PI_5_FEATURES = (
    "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp"
)
GRAVITON_3_FEATURES = (
    "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm jscvt fcma lrcpc dcpop "
    "sha3 sm3 sm4 asimddp sha512 sve asimdfhm dit uscat ilrcpc flagm ssbs paca pacg dcpodp svei8mm svebf16 "
    "i8mm bf16 dgh rng"
)


def arm_core(number: int, bogomips: str, features: str, variant: str, part: str, revision: int) -> str:
    """A core's paragraph as 64-bit ARM kernels write it."""
    return (
        f"processor\t: {number}\nBogoMIPS\t: {bogomips}\nFeatures\t: {features}\nCPU implementer\t: 0x41\n"
        f"CPU architecture: 8\nCPU variant\t: {variant}\nCPU part\t: {part}\nCPU revision\t: {revision}\n\n"
    )


PI_4 = "".join(arm_core(core, "108.00", PI_FEATURES, "0x0", "0xd08", 3) for core in range(4))
PI_4 += "Revision\t: d03115\nSerial\t\t: 10000000aabbccdd\nModel\t\t: Raspberry Pi 4 Model B Rev 1.5\n"
PI_5 = "".join(arm_core(core, "108.00", PI_5_FEATURES, "0x4", "0xd0b", 1) for core in range(4))
PI_5 += "Revision\t: d04170\nSerial\t\t: 10000000aabbccdd\nModel\t\t: Raspberry Pi 5 Model B Rev 1.0\n"
GRAVITON_3 = "".join(arm_core(core, "2100.00", GRAVITON_3_FEATURES, "0x1", "0xd40", 1) for core in range(4))
RK3588 = "".join(
    [arm_core(core, "48.00", PI_5_FEATURES, "0x2", "0xd05", 0) for core in range(4)]
    + [arm_core(core, "48.00", PI_5_FEATURES, "0x4", "0xd0b", 0) for core in range(4, 8)]
)
ORIN = "".join(
    arm_core(core, "62.50", PI_5_FEATURES, "0x0", "0xd42", 1).replace(
        "BogoMIPS", "model name\t: ARMv8 Processor rev 1 (v8l)\nBogoMIPS"
    )
    for core in range(6)
)
XEON = "processor\t: 0\nvendor_id\t: GenuineIntel\nmodel\t\t: 143\nmodel name\t: Intel(R) Xeon(R) 8481C\n"

CPU = "sys/devices/system/cpu"


def machine(root: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def model(root: Path, cpuinfo: str, **files: str) -> str | None:
    return processor_model(machine(root, {"proc/cpuinfo": cpuinfo, **files}))


def test_boards_and_servers_of_64_bit_arm_have_names_of_their_own(tmp_path: Path) -> None:
    assert model(tmp_path / "4", PI_4) == "Raspberry Pi 4 Model B Rev 1.5, cores 0x41/0xd08/0x0"
    assert model(tmp_path / "5", PI_5) == "Raspberry Pi 5 Model B Rev 1.0, cores 0x41/0xd0b/0x4"
    assert model(tmp_path / "graviton", GRAVITON_3) == "cores 0x41/0xd40/0x1"


def test_a_device_tree_and_firmware_name_the_board(tmp_path: Path) -> None:
    tree = {"proc/device-tree/model": "Orange Pi 5\0"}
    assert model(tmp_path / "rk", RK3588, **tree) == "Orange Pi 5, cores 0x41/0xd05/0x2 0x41/0xd0b/0x4"
    firmware = {
        "sys/class/dmi/id/sys_vendor": "Amazon EC2\n",
        "sys/class/dmi/id/product_name": "c7g.xlarge\n",
    }
    assert model(tmp_path / "ec2", GRAVITON_3, **firmware) == "Amazon EC2 c7g.xlarge, cores 0x41/0xd40/0x1"


def test_a_model_that_every_arm_core_has_names_none(tmp_path: Path) -> None:
    tree = {"proc/device-tree/model": "NVIDIA Jetson Orin Nano Developer Kit\0"}
    named = model(tmp_path, ORIN, **tree)
    assert named == "NVIDIA Jetson Orin Nano Developer Kit, cores 0x41/0xd42/0x0"


def test_other_processors_have_the_name_that_they_give(tmp_path: Path) -> None:
    assert model(tmp_path, XEON) == "Intel(R) Xeon(R) 8481C"
    assert processor_model(tmp_path / "nothing") is None


def of_cores(file: str, values: list[int]) -> dict[str, str]:
    return {f"{CPU}/cpu{core}/{file}": f"{value}\n" for core, value in enumerate(values)}


@pytest.mark.parametrize(
    ("files", "cores", "kind"),
    [
        ({}, [0, 1], None),
        (of_cores("cpu_capacity", [1024] * 4), [2, 3], None),
        (of_cores("cpu_capacity", [404] * 4 + [1024] * 4), [7], "capacity 1024"),
        (of_cores("cpu_capacity", [404] * 4 + [1024] * 4), [3, 4], "capacity 404 and capacity 1024"),
        (of_cores("cpufreq/cpuinfo_max_freq", [5_700_000, 5_500_000, 5_450_000]), [2], None),
        (of_cores("cpufreq/cpuinfo_max_freq", [5_100_000] * 4 + [3_300_000] * 8), [11], "up to 3300 MHz"),
        ({"sys/devices/cpu_core/cpus": "0-3,8\n", "sys/devices/cpu_atom/cpus": "4-7\n"}, [8], "cpu_core"),
        ({"sys/devices/cpu_core/cpus": "0-3,8\n", "sys/devices/cpu_atom/cpus": "4-7\n"}, [6, 7], "cpu_atom"),
        (
            {"sys/devices/cpu_core/cpus": "0-3\n", "sys/devices/cpu_atom/cpus": "4-7\n"},
            [3, 4],
            "cpu_core and cpu_atom",
        ),
    ],
)
def test_cores_are_named_where_a_machine_has_several_kinds(
    files: Mapping[str, str], cores: list[int], kind: str | None, tmp_path: Path
) -> None:
    assert core_kind(cores, machine(tmp_path, files)) == kind


def test_processors_that_a_virtual_machine_calls_alike_are_told_apart(tmp_path: Path) -> None:
    epyc = "processor\t: 0\ncpu family\t: 25\nmodel\t\t: {}\nmodel name\t: AMD EPYC\nstepping\t: 1\n"
    caches = {
        f"{CPU}/cpu0/cache/index{index}/{file}": text
        for index, cache in enumerate(
            ("1 Data 32K", "1 Instruction 32K", "2 Unified 512K", "3 Unified 16384K")
        )
        for file, text in zip(("level", "type", "size"), cache.split(), strict=True)
    }
    milan, genoa = (
        machine(tmp_path / name, {"proc/cpuinfo": epyc.format(number), **caches})
        for name, number in (("milan", 1), ("genoa", 17))
    )
    assert processor_model(milan) == processor_model(genoa) == "AMD EPYC"
    assert processor_family(milan) == "family 25, model 1, stepping 1"
    assert processor_family(genoa) == "family 25, model 17, stepping 1"
    assert cache_sizes(milan) == "L1 32K, L2 512K, L3 16384K"


def test_a_machine_that_tells_neither_family_nor_caches_has_none(tmp_path: Path) -> None:
    board = machine(tmp_path, {"proc/cpuinfo": PI_4})
    assert processor_family(board) is None and cache_sizes(board) is None
