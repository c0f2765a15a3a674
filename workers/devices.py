"""Where PyTorch's networks run, and in which precision. Pure; for the stages that have PyTorch."""

from contextlib import AbstractContextManager

import torch

from workers.device_choice import CPU, chosen_device, find_gpu


def pick_device() -> torch.device:
    """The chosen one of the GPUs that this process sees (CUDA_VISIBLE_DEVICES says which), or the processor.

    Raises:
        ModelMissingError: a GPU was insisted on that is not there.
    """
    if chosen_device() == CPU:
        return torch.device(CPU)  # CUDA is not even asked: that would take memory of a GPU
    number = find_gpu(range(torch.cuda.device_count() if torch.cuda.is_available() else 0))
    return torch.device(CPU) if number is None else torch.device("cuda", number)


def autocast(device: torch.device | None = None) -> AbstractContextManager[object]:
    """Half precision where it is native (on processors about 2.5 times as fast as float32), else none.

    bf16 on processors and GPUs that have it, fp16 on older GPUs. `device` is the processor unless given.
    """
    if device is not None and device.type == "cuda":
        return torch.autocast(
            "cuda", torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
        )
    native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.autocast("cpu", torch.bfloat16, enabled=native)
