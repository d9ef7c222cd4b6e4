from __future__ import annotations

import psutil
import pytest
import torch

from MRTranslateLib.errors import UsageError
from MRTranslateLib.inference.device import Execution, choose_execution, default_threads


@pytest.fixture
def gpus(monkeypatch):
    """Pretend that the machine has so many CUDA devices."""

    def have(count: int) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)

    return have


@pytest.mark.parametrize(("cores", "threads"), [(8, 7), (2, 1), (1, 1), (None, 1)])
def test_one_physical_core_is_left_free(monkeypatch, cores, threads):
    monkeypatch.setattr(psutil, "cpu_count", lambda logical: 64 if logical else cores)
    assert default_threads() == threads


def test_threads_are_the_default_unless_asked_for(monkeypatch):
    monkeypatch.setattr(psutil, "cpu_count", lambda logical: 8)
    assert choose_execution("cpu").threads == 7
    assert choose_execution("cpu", threads=3).threads == 3


@pytest.mark.parametrize(
    ("device", "count", "chosen"),
    [
        ("cpu", 0, "cpu"),
        ("cpu", 2, "cpu"),
        ("auto", 0, "cpu"),
        ("auto", 2, "cuda:0"),
        ("cuda", 1, "cuda:0"),
        ("cuda:1", 2, "cuda:1"),
    ],
)
def test_a_device_is_chosen_among_those_there(gpus, device, count, chosen):
    gpus(count)
    assert choose_execution(device, "bf16", 1) == Execution(chosen, "bf16", 1)


@pytest.mark.parametrize("device", ["", "gpu", "CPU", "cpu:0", "cuda:", "cuda:-1", "cuda:a", "cuda:1 ", "cuda:0\n"])
def test_an_unknown_device_is_refused_with_its_name(gpus, device):
    gpus(2)
    with pytest.raises(UsageError, match="unknown device") as caught:
        choose_execution(device)
    assert repr(device) in str(caught.value)


@pytest.mark.parametrize(("device", "count"), [("cuda", 0), ("cuda:0", 0), ("cuda:2", 2)])
def test_a_cuda_device_that_is_not_there_is_refused_with_how_many_there_are(gpus, device, count):
    gpus(count)
    with pytest.raises(UsageError, match=f"'{device}' is not there: this machine has {count} CUDA devices"):
        choose_execution(device)


@pytest.mark.parametrize("precision", ["fp16", "FP32", ""])
def test_an_unknown_precision_is_refused_with_the_known_ones(precision):
    with pytest.raises(UsageError, match=f"unknown precision '{precision}': use one of fp32, bf16"):
        choose_execution("cpu", precision)


@pytest.mark.parametrize("threads", [0, -1, 1025])
def test_an_impossible_number_of_threads_is_refused(threads):
    with pytest.raises(UsageError, match=f"cannot run on {threads} threads"):
        choose_execution("cpu", threads=threads)
