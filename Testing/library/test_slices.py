"""Running a generator over slices: batches, memory, cancelling, determinism."""

import numpy as np
import pytest
import torch

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.errors import CancelledError
from MRTranslateLib.inference import slices as module
from MRTranslateLib.inference.device import Execution
from MRTranslateLib.inference.slices import SliceJob, translate_slices
from MRTranslateLib.networks.generator import build_generator
from MRTranslateLib.progress import Progress
from Testing.library.conftest import CopyGenerator

CPU = Execution("cpu", "fp32", 1)


def job(count=12, height=20, width=17):
    volume = np.random.default_rng(0).random((count, height, width), dtype=np.float32)
    return SliceJob({Contrast.T1W: volume}, Contrast.FLAIR, np.arange(2, count - 1), (2, count - 2), 1)


class HungryGenerator(CopyGenerator):
    """Runs out of memory above a batch size."""

    def __init__(self, affordable):
        super().__init__()
        self.affordable, self.tried = affordable, []

    def sample(self, slices, target_code):
        self.tried.append(len(slices.height))
        if len(slices.height) > self.affordable:
            raise torch.OutOfMemoryError("out of memory")
        return super().sample(slices, target_code)


@pytest.fixture
def pretend_gpu(monkeypatch):
    """A device that is not called cpu and yet is everywhere: the meta-logic of falling back needs no GPU."""
    monkeypatch.setattr(module, "_Runner", _RunnerOnCpu)
    return Execution("cuda:0", "fp32", 1)


class _RunnerOnCpu(module._Runner):
    def run(self, slices, target_code):
        return self.generator.sample(slices, target_code)


def test_slices_are_run_one_by_one_on_the_cpu():
    generator = HungryGenerator(1)
    translate_slices(generator, job(), CPU, Progress())
    assert set(generator.tried) == {1}


def test_a_copy_gives_the_slices_back():
    asked = job()
    result = translate_slices(CopyGenerator(), asked, CPU, Progress())
    np.testing.assert_array_equal(result.slices, asked.sources[Contrast.T1W][asked.indices])


def test_memory_running_out_on_a_gpu_halves_the_batch_and_says_so(pretend_gpu, monkeypatch):
    generator = HungryGenerator(3)
    monkeypatch.setattr(generator, "to", lambda *_: generator)
    asked = job(30)
    result = translate_slices(generator, asked, pretend_gpu, Progress())
    np.testing.assert_array_equal(result.slices, asked.sources[Contrast.T1W][asked.indices])
    assert result.fallbacks[-1] == "GPU memory ran out: batch size reduced to 2"
    assert result.device == "cuda:0"


def test_memory_running_out_at_batch_size_one_moves_to_the_cpu(pretend_gpu, monkeypatch):
    generator = HungryGenerator(0)

    def move(device):
        generator.affordable = 99 if device == "cpu" else 0
        return generator

    monkeypatch.setattr(generator, "to", move)
    result = translate_slices(generator, job(), pretend_gpu, Progress())
    assert result.device == "cpu"
    assert "continued on the CPU" in result.fallbacks[-1]


def test_memory_running_out_on_the_cpu_is_not_hidden():
    with pytest.raises(torch.OutOfMemoryError):
        translate_slices(HungryGenerator(0), job(), CPU, Progress())


def test_cancelling_stops_before_the_next_slice():
    progress = Progress()
    generator = CopyGenerator()
    progress.cancelled.set()
    with pytest.raises(CancelledError):
        translate_slices(generator, job(), progress=progress, execution=CPU)
    assert generator.batches == []


def test_the_process_keeps_its_own_number_of_threads():
    before = torch.get_num_threads()
    translate_slices(CopyGenerator(), job(), Execution("cpu", "fp32", before + 1), Progress())
    assert torch.get_num_threads() == before


def test_the_network_gives_the_same_bits_twice_and_bf16_is_near():
    torch.manual_seed(0)
    size = {"num_neighbours": 3, "widths": [8, 16], "detail_width": 8, "voxel_width": 8, "blocks_per_level": 1}
    generator = build_generator("unet25d", size)
    first, second = (translate_slices(generator, job(), CPU, Progress()).slices for _ in range(2))
    np.testing.assert_array_equal(first, second)
    rough = translate_slices(generator, job(), Execution("cpu", "bf16", 1), Progress()).slices
    assert 0 < np.abs(rough - first).max() < 0.05


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_agrees_with_the_cpu():
    torch.manual_seed(0)
    size = {"num_neighbours": 3, "widths": [8, 16], "detail_width": 8, "voxel_width": 8, "blocks_per_level": 1}
    generator = build_generator("unet25d", size)
    cpu = translate_slices(generator, job(), CPU, Progress()).slices
    cuda = translate_slices(generator, job(), Execution("cuda:0", "fp32", 1), Progress()).slices
    np.testing.assert_allclose(cuda, cpu, atol=2e-3)


def test_height_is_told_from_the_lowest_to_the_highest_slice_of_the_brain():
    asked = job()  # its brain begins at slice 2 and ends at 10
    stacked = module.stack_slices(CopyGenerator(), asked, np.array([2, 4, 10]))
    torch.testing.assert_close(stacked.height, torch.tensor([0.0, 0.25, 1.0]))
