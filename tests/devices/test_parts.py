from __future__ import annotations

from tvnsearch.devices.backends.parts import Kernel, divide, undivided

CALLS = ["block1.repeat1.1.spatial_conv", "block1.repeat1.2.add", "block1.repeat1.10.spatial_conv", "head"]


def test_a_kernel_that_fused_two_calls_makes_them_one_part() -> None:
    kernels = [
        Kernel(f"{CALLS[0]}/Conv,{CALLS[1]}/Add", 30),
        Kernel(f"{CALLS[2]}/Conv", 60),
        Kernel("logits", 10),
    ]
    assert divide(kernels, CALLS) == ((0.3, 0, 0.6, 0.1), (0, 0, 2, 3))


def test_what_has_no_kernel_was_merged_into_what_ran_before() -> None:
    kernels = [Kernel(f"{CALLS[0]}/Conv", 1), Kernel(f"{CALLS[2]}/Conv", 2), Kernel("head/Gemm", 1)]
    assert divide(kernels, CALLS) == ((0.25, 0, 0.5, 0.25), (0, 0, 2, 3))


def test_what_is_named_after_no_call_belongs_to_what_ran_before() -> None:
    kernels = [
        Kernel("input/Reshape_kernel_time", 1),
        Kernel(f"{CALLS[0]}/Conv.out_nchwc_kernel_time", 1),
        Kernel(f"{CALLS[1]}/Add_kernel_time", 1),
        Kernel("ReorderOutput_kernel_time", 2),
        Kernel(f"{CALLS[2]}/Conv_kernel_time", 1),
        Kernel("head/Gemm_kernel_time", 2),
    ]
    assert divide(kernels, CALLS) == ((0.25, 0.375, 0.125, 0.25), (0, 1, 2, 3))


def test_a_name_that_begins_like_another_is_told_apart() -> None:
    shares, parts = divide([Kernel(f"{CALLS[0]}/Conv", 5), Kernel(f"{CALLS[2]}/Conv", 5)], CALLS)
    assert (shares, parts) == ((0.5, 0, 0.5, 0), (0, 0, 2, 2))


def test_what_comes_first_without_a_kernel_was_merged_into_the_first_that_has_one() -> None:
    kernels = [Kernel(f"{CALLS[1]}/Add", 1), Kernel(f"{CALLS[2]}/Conv", 2), Kernel("head/Gemm", 1)]
    assert divide(kernels, CALLS) == ((0.25, 0, 0.5, 0.25), (0, 0, 2, 3))


def test_without_kernels_a_network_is_one_part() -> None:
    assert divide([], CALLS) == undivided(4) == ((1.0, 0, 0, 0), (0, 0, 0, 0))
