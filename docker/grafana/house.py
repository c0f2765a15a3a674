"""The dashboard of the house: is work done, how fast, and what does it stand on?"""

from typing import Final

from docker.grafana.panels import (
    ASKED,
    BYTES,
    COUNT,
    FAILED,
    OPEN,
    PER_MINUTE,
    PER_SECOND,
    QUEUES,
    RUN,
    SECONDS,
    SHARE,
    STAGES,
    Panel,
    Row,
    added,
    pages,
    quantiles,
    share,
    stat,
    truth,
)

NOW: Final = Row(
    "Now",
    [
        stat("Alerts", COUNT, 'count(ALERTS{alertname=~"Nurie.+", alertstate="firing"}) or vector(0)'),
        stat("Jobs not ended", COUNT, f"sum({truth('nurie_jobs', 'state', OPEN)})"),
        stat("Pages not ended", COUNT, f"sum({truth('nurie_pages', 'queue, class, state')})"),
        stat(
            "Oldest page of a small job",
            SECONDS,
            'max(nurie_queue_oldest_seconds{class="interactive"})',
            ["NurieInteractivePagesWait"],
        ),
        stat("Slots", COUNT, f"sum({truth('nurie_slots', 'queue')})"),
        stat("Pages done a minute", PER_MINUTE, '60 * sum(rate(nurie_pages_ended_total{state="succeeded"}[10m]))'),
    ],
)

WORK: Final = Row(
    "Work",
    [
        Panel("Jobs that have not ended", COUNT, {"{{state}}": truth("nurie_jobs", "state", OPEN)}, stacked=True),
        Panel(
            "Pages by state",
            COUNT,
            {"{{state}}": pages("state", QUEUES)},
            "Waiting: in the database. Sent: in Redis. Running: with a worker.",
            stacked=True,
        ),
        Panel("Pages by queue and class", COUNT, {"{{queue}} {{class}}": pages("queue, class", QUEUES)}, stacked=True),
        Panel(
            "Oldest page",
            SECONDS,
            {"{{queue}} {{class}}": truth("nurie_queue_oldest_seconds", "queue, class", QUEUES)},
            "Of those that wait or were sent. The lines are the limits of small and of large jobs.",
            ["NurieInteractivePagesWait", "NurieBulkPagesWait"],
        ),
        Panel(
            "Pages that end",
            PER_MINUTE,
            {"{{state}}": added("nurie_pages_ended_total", "state", times=60)},
            stacked=True,
        ),
        Panel("Jobs that end", PER_MINUTE, {"{{state}}": added("nurie_jobs_ended_total", "state", times=60)}),
        Panel(
            "Slots and what they could work on",
            COUNT,
            {
                "{{queue}} slots": truth("nurie_slots", "queue", QUEUES),
                "{{queue}} demand": truth("nurie_queue_demand", "queue", QUEUES),
            },
            "Demand over slots: more workers would make it faster.",
        ),
        Panel(
            "Slots in use",
            SHARE,
            {
                "{{queue}}": pages("queue", f'state="running", {QUEUES}')
                + f" / ({truth('nurie_slots', 'queue', QUEUES)} > 0)"
            },
        ),
        Panel("Trainings of reference models", COUNT, {"{{state}}": truth("nurie_trainings", "state")}),
    ],
)

STAGE_WORK: Final = Row(
    "Stages",
    [
        Panel(
            "Time of a stage",
            SECONDS,
            quantiles("nurie_stage_seconds", "stage, preset, weights, device", STAGES),
            "On a page, without those whose result was kept.",
        ),
        Panel("Wait in Redis", SECONDS, quantiles("nurie_queue_wait_seconds", "stage, class", STAGES)),
        Panel("Time of a training", SECONDS, quantiles("nurie_training_seconds", "preset, device")),
        Panel(
            "Failures by reason",
            PER_MINUTE,
            {"{{stage}} {{outcome}}": added("nurie_attempts_total", "stage, outcome", f"{FAILED}, {STAGES}", 60)},
        ),
        Panel(
            "Share of runs that fail",
            SHARE,
            {"{{stage}}": share("nurie_attempts_total", "stage", f"{FAILED}, {STAGES}", f"{RUN}, {STAGES}")},
            limits=["NurieAttemptsFail"],
        ),
        Panel(
            "Taken from what was kept",
            SHARE,
            {"{{stage}}": share("nurie_cache_lookups_total", "stage", f'result="hit", {STAGES}', STAGES)},
            "Hits of all looks for a stage's result.",
        ),
    ],
)

API: Final = Row(
    "API",
    [
        Panel(
            "Requests by status",
            PER_SECOND,
            {"{{status}}": added("nurie_http_requests_total", "status", ASKED)},
            stacked=True,
        ),
        Panel(
            "Requests by route",
            PER_SECOND,
            {"{{method}} {{route}}": added("nurie_http_requests_total", "method, route", ASKED)},
        ),
        Panel(
            "Share of answers that are 5xx",
            SHARE,
            {
                "5xx": f'(sum(rate(nurie_http_requests_total{{status=~"5..", {ASKED}}}[$__rate_interval]))'
                f" or vector(0)) / sum(rate(nurie_http_requests_total{{{ASKED}}}[$__rate_interval]))"
            },
            limits=["NurieApiErrors"],
        ),
        Panel(
            "Time of a request",
            SECONDS,
            quantiles("nurie_http_request_seconds", "method, route", ASKED),
            "Long polls are left out.",
            width=24,
        ),
    ],
)

CONTROL: Final = Row(
    "Control",
    [
        Panel("Time of a duty", SECONDS, quantiles("nurie_control_duty_seconds", "duty")),
        Panel(
            "From due to sent",
            SECONDS,
            quantiles("nurie_dispatch_wait_seconds", "class"),
            "How long a page that may go waits for its turn.",
        ),
        Panel("Pages sent", PER_MINUTE, {"{{class}}": added("nurie_pages_sent_total", "class", times=60)}),
        Panel(
            "A control's processor",
            SHARE,
            {"{{instance}}": added("nurie_control_cpu_seconds_total", "instance")},
            "Of all duties: at 100 % it can do no more.",
        ),
        Panel(
            "Work that was lost",
            COUNT,
            {"{{what}}": "sum by (what) (increase(nurie_reaped_total[15m]))"},
            "Within 15 minutes; it was sent again.",
            ["NurieWorkIsLost"],
        ),
        Panel("Webhooks tried", PER_MINUTE, {"{{outcome}}": added("nurie_deliveries_total", "outcome", times=60)}),
        Panel(
            "Webhooks not taken yet",
            COUNT,
            {"pending": "max(nurie_deliveries_pending)"},
            limits=["NurieWebhooksPileUp"],
        ),
        Panel("Time of a webhook", SECONDS, quantiles("nurie_delivery_seconds", "outcome"), width=16),
    ],
)

GROUND: Final = Row(
    "Ground",
    [
        Panel("Time of storage", SECONDS, quantiles("nurie_storage_seconds", "operation"), limits=["NurieStorageSlow"]),
        Panel(
            "Time of the database", SECONDS, quantiles("nurie_database_seconds", "kind"), limits=["NurieDatabaseSlow"]
        ),
        Panel(
            "Not answered",
            PER_SECOND,
            {
                "storage to {{job}}": added("nurie_storage_errors_total", "job"),
                "database to {{job}}": added("nurie_database_errors_total", "job"),
            },
            limits=["NurieStorageErrors"],
        ),
        Panel(
            "Share of the disk that is free",
            SHARE,
            {"{{what}}": "min by (what) (nurie_disk_free_bytes / nurie_disk_size_bytes)"},
            limits=["NurieDiskFull", "NurieDiskLow"],
        ),
        Panel("Disk that is free", BYTES, {"{{what}}": "min by (what) (nurie_disk_free_bytes)"}),
        Panel(
            "Processes that answer, by version",
            COUNT,
            {"{{job}} {{version}}": "sum by (job, version) (nurie_build_info)"},
        ),
    ],
)

HOUSE: Final = (NOW, WORK, STAGE_WORK, API, CONTROL, GROUND)
