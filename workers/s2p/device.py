"""TensorFlow's device: only the chosen GPU is seen, and its memory is taken as it is needed. Pure."""

from functools import lru_cache
from typing import Final

from workers.device_choice import CPU, find_gpu

CUDA: Final = "cuda"


@lru_cache(maxsize=1)
def set_up_tensorflow() -> str:
    """Before TensorFlow is used first, once per process; returns what the device is called.

    Raises:
        ModelMissingError: a GPU was insisted on that is not there.
    """
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    gpu = find_gpu(gpus)
    # Else TensorFlow would open every GPU, and take all memory of each.
    tf.config.set_visible_devices([] if gpu is None else [gpu], "GPU")
    if gpu is None:
        return CPU
    tf.config.experimental.set_memory_growth(gpu, True)
    return f"{CUDA}:{gpus.index(gpu)}"
