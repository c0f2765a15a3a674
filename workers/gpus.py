"""What the GPUs of this process are at, as NVIDIA's library tells; nothing where there is none of it, or of them."""

import os
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.registry import Collector

from common.logging import get_logger


def open_gpus() -> "GpuCollector | None":
    """The GPUs that this process may use; None without NVIDIA's library or a driver."""
    try:
        import pynvml  # nvidia-ml-py: installed with CUDA builds alone
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        get_logger(__name__).info("no GPU is watched", reason=str(error))
        return None
    return GpuCollector(pynvml, os.environ.get("CUDA_VISIBLE_DEVICES"))


class GpuCollector(Collector):
    """Asked at every scrape; what a GPU does not tell is left out."""

    def __init__(self, nvml: Any, visible: str | None) -> None:
        """`visible` is CUDA_VISIBLE_DEVICES: numbers or UUIDs, separated by commas; None for all."""
        self._nvml = nvml
        names = range(nvml.nvmlDeviceGetCount()) if visible is None else visible.split(",")
        self._gpus = [(str(name).strip(), handle) for name in names if (handle := self._find(str(name).strip()))]

    def collect(self) -> Iterator[GaugeMetricFamily]:
        used = GaugeMetricFamily("nurie_gpu_memory_used_bytes", "Memory in use, by whomever.", labels=["gpu"])
        total = GaugeMetricFamily("nurie_gpu_memory_total_bytes", "Memory that the GPU has.", labels=["gpu"])
        busy = GaugeMetricFamily("nurie_gpu_utilisation_ratio", "Share of the time that it computed.", labels=["gpu"])
        for name, handle in self._gpus:
            with suppress(self._nvml.NVMLError):
                memory = self._nvml.nvmlDeviceGetMemoryInfo(handle)
                used.add_metric([name], memory.used)
                total.add_metric([name], memory.total)
                busy.add_metric([name], self._nvml.nvmlDeviceGetUtilizationRates(handle).gpu / 100)
        yield from (used, total, busy)

    def _find(self, name: str) -> Any:
        with suppress(self._nvml.NVMLError):
            if name.isdecimal():
                return self._nvml.nvmlDeviceGetHandleByIndex(int(name))
            return self._nvml.nvmlDeviceGetHandleByUUID(name.encode())
        return None
