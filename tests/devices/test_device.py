from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tvnsearch.devices import Device, fingerprint_digest, open_device
from tvnsearch.devices import fingerprint as fingerprint_module
from tvnsearch.devices.fingerprint import fingerprint
from tvnsearch.errors import UserError


def test_the_processor_opens():
    assert open_device("cpu") == Device("cpu", threads=1, backend="eager", precision="float32", batch=1)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("tpu",), ["'tpu'", "cpu or cuda", "--device cpu"]),
        (("cpu", 0), ["0 came", "--threads"]),
        (("cpu", 10_000), ["10000 came", "--threads"]),
        (("cpu", 1, "quantum"), ["'quantum'", "eager", "--backend"]),
        (("cpu", 1, "eager", "int4"), ["'int4'", "float32", "--precision"]),
        (("cpu", 1, "eager", "float32", 0), ["0 came", "--batch"]),
    ],
)
def test_what_is_not_there_is_one_sentence(arguments, words):
    with pytest.raises(UserError) as error:
        open_device(*arguments)
    assert all(word in str(error.value) for word in words)
    assert "\n" not in str(error.value)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU, so cuda opens")
def test_cuda_without_a_gpu_is_one_sentence():
    with pytest.raises(UserError, match="torch sees none here; say --device cpu"):
        open_device("cuda")


@given(st.dictionaries(st.text(), st.text()), st.randoms())
def test_the_digest_is_the_fingerprints_content_in_any_order(fingerprint, rng):
    pairs = list(fingerprint.items())
    rng.shuffle(pairs)
    digest = fingerprint_digest(fingerprint)
    assert digest == fingerprint_digest(dict(pairs))
    assert len(digest) == 12
    assert set(digest) <= set("0123456789abcdef")
    assert digest != fingerprint_digest({**fingerprint, "torch": fingerprint.get("torch", "") + "1"})


def test_asking_for_a_device_and_a_store_imports_no_torch():
    code = "import sys, latency_db, tvnsearch.devices; assert not {'torch', 'pandas'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_networks_that_are_deployed_otherwise_make_another_device(monkeypatch):
    before = fingerprint(Device("cpu"))
    monkeypatch.setattr(fingerprint_module, "DEPLOYMENT", fingerprint_module.DEPLOYMENT + 1)
    after = fingerprint(Device("cpu"))
    assert fingerprint_digest(before) != fingerprint_digest(after)
    assert {key for key in after if after[key] != before[key]} == {"deployment"}


AS_IT_WAS = {
    *("device", "processor", "cores", "threads", "backend", "precision", "batch", "deployment"),
    *("torch", "onednn", "allocator", "governor"),
}


@pytest.fixture
def _plain(monkeypatch):
    for name in (*fingerprint_module.INSTRUCTIONS, *fingerprint_module.PLACES):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(fingerprint_module, "core_kind", lambda cores: None)
    monkeypatch.setattr(fingerprint_module, "processor_family", lambda: None)
    monkeypatch.setattr(fingerprint_module, "cache_sizes", lambda: None)


@pytest.mark.usefixtures("_plain")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ONEDNN_MAX_CPU_ISA", "AVX2"),
        ("DNNL_MAX_CPU_ISA", "AVX2"),
        ("ATEN_CPU_CAPABILITY", "default"),
        ("OMP_PROC_BIND", "true"),
        ("OMP_PLACES", "{0}"),
        ("GOMP_CPU_AFFINITY", "0"),
        ("KMP_AFFINITY", "compact"),
        ("MKL_ENABLE_INSTRUCTIONS", "SSE4_2"),
    ],
)
def test_what_the_environment_says_of_instructions_and_places_makes_another_device(monkeypatch, name, value):
    before = fingerprint(Device("cpu"))
    monkeypatch.setenv(name, "")
    assert fingerprint(Device("cpu")) == before
    monkeypatch.setenv(name, value)
    assert fingerprint(Device("cpu")) == before | {name: value}


@pytest.mark.usefixtures("_plain")
def test_without_any_of_that_databases_stay_valid(monkeypatch):
    assert set(fingerprint(Device("cpu"))) == AS_IT_WAS
    monkeypatch.setattr(fingerprint_module, "core_kind", lambda cores: "cpu_atom")
    assert fingerprint(Device("cpu"))["kind of core"] == "cpu_atom"
