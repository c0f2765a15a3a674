"""What errors of PyTorch, TensorFlow and CUDA mean: memory ran out, or the GPU failed. Pure; loads none of them."""

import sys
from typing import Final

_NAMES: Final = ("OutOfMemoryError", "ResourceExhaustedError")
"""PyTorch's and TensorFlow's own, which are no MemoryError."""
_SAID: Final = ("can't allocate memory", "out of memory", "ALLOC_FAILED", "std::bad_alloc")
"""Where a library has no error of its own: PyTorch's allocator on a processor, CUDA's cuBLAS and cuDNN, OpenCV."""
_FAILED_NAME: Final = "AcceleratorError"
"""PyTorch's."""
_FAILED_SAID: Final = (
    "CUDA error",
    "CUDA driver error",
    "CUDA_ERROR_",
    "CUDNN_STATUS_",
    "CUBLAS_STATUS_",
    "CUDNN error",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error, of whichever library, says that memory ran out: the processor's or a GPU's."""
    if isinstance(error, MemoryError) or type(error).__name__ in _NAMES:
        return True
    is_library = isinstance(error, RuntimeError) or type(error).__module__ == "cv2"
    return is_library and any(words.lower() in str(error).lower() for words in _SAID)


def is_gpu_failure(error: BaseException) -> bool:
    """Whether a GPU or its driver failed, other than for want of memory: nothing works in the process after that."""
    if is_out_of_memory(error):
        return False
    is_library = isinstance(error, RuntimeError) or type(error).__module__.startswith("tensorflow")
    return type(error).__name__ == _FAILED_NAME or (
        is_library and any(words.lower() in str(error).lower() for words in _FAILED_SAID)
    )


def release_memory() -> None:
    """Give back what PyTorch keeps of a GPU's memory for later: what is tried next may need it in other pieces."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
