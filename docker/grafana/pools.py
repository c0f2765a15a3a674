"""The dashboard of the pools: what does each worker do, and is it fit to?"""

from typing import Final

from docker.grafana.panels import (
    COUNT,
    FAILED,
    PER_MINUTE,
    QUEUES,
    SECONDS,
    SHARE,
    WORKERS,
    Panel,
    Row,
    added,
    quantiles,
    truth,
)

WORKER: Final = "{{stage}} {{instance}}"
GPU: Final = "{{job}} {{instance}} GPU {{gpu}}"

FITNESS: Final = Row(
    "Workers",
    [
        Panel(
            "Takes work",
            COUNT,
            {WORKER: f"max by (stage, instance) (nurie_worker_ready{{{WORKERS}}})"},
            "No: it warms up, drains, or refuses.",
            kind="state-timeline",
            states=[("no", "orange"), ("yes", "green")],
            width=12,
        ),
        Panel(
            "Refuses work",
            COUNT,
            {WORKER: f"max by (stage, instance) (nurie_worker_refused{{{WORKERS}}})"},
            "What it made of its golden page is not what it should be.",
            kind="state-timeline",
            states=[("no", "green"), ("refused", "red")],
            width=12,
        ),
        Panel("Workers", COUNT, {"{{queue}}": truth("nurie_workers", "queue", QUEUES)}),
        Panel(
            "Golden page: deviation",
            SHARE,
            {WORKER: f"max by (stage, instance) (nurie_golden_error{{{WORKERS}}})"},
            "The largest, as a share of what is allowed: over 100 % it is refused.",
        ),
        Panel(
            "Golden page: runs",
            COUNT,
            {f"{WORKER} {{{{result}}}}": f"sum by (stage, instance, result) (nurie_golden_runs_total{{{WORKERS}}})"},
            "Since the worker started.",
        ),
    ],
)

WORK: Final = Row(
    "Work",
    [
        Panel("Time of a stage", SECONDS, quantiles("nurie_stage_seconds", "stage, instance", WORKERS)),
        Panel(
            "Runs of a stage", PER_MINUTE, {WORKER: added("nurie_attempts_total", "stage, instance", WORKERS, times=60)}
        ),
        Panel(
            "Failures by reason",
            PER_MINUTE,
            {
                f"{WORKER} {{{{outcome}}}}": added(
                    "nurie_attempts_total", "stage, instance, outcome", f"{FAILED}, {WORKERS}", times=60
                )
            },
        ),
        Panel(
            "Busy",
            SHARE,
            {WORKER: added("nurie_stage_seconds_sum", "stage, instance", WORKERS)},
            "Seconds of work in a second, counted when a page is done.",
        ),
        Panel(
            "Storage, as the pools see it",
            SECONDS,
            quantiles(
                "nurie_storage_seconds",
                "job, operation",
                'job!~"nurie-(api|control)", job=~"nurie-($queue)", instance=~"$instance"',
            ),
            width=16,
        ),
    ],
)

MEMORY: Final = Row(
    "Memory and GPUs",
    [
        Panel(
            "Steps for want of memory",
            COUNT,
            {"{{stage}} {{step}}": f"sum by (stage, step) (increase(nurie_oom_steps_total{{{WORKERS}}}[1h]))"},
            "Within an hour.",
            ["NurieOutOfMemorySteps"],
        ),
        Panel(
            "GPU memory in use",
            SHARE,
            {
                GPU: 'max by (job, instance, gpu) (nurie_gpu_memory_used_bytes{instance=~"$instance"}'
                ' / nurie_gpu_memory_total_bytes{instance=~"$instance"})'
            },
            limits=["NurieGpuMemoryFull"],
        ),
        Panel(
            "GPU at work",
            SHARE,
            {GPU: 'max by (job, instance, gpu) (nurie_gpu_utilisation_ratio{instance=~"$instance"})'},
        ),
    ],
)

POOLS: Final = (FITNESS, WORK, MEMORY)
