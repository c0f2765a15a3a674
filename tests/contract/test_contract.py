"""schemathesis over the OpenAPI document: no answer that it does not name, and none of 5xx, whatever is sent.

In an environment of its own, against the API as it is served. No worker runs: jobs stay queued, unless cancelled.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.contract.pictures import COLOURED, GREY
from tests.service import ROOT, Service

CASES = 2000
"""So many cases the two runs must reach together; each about half."""
EXAMPLES = {"keys": 40, "off": 15}
JOBS = 30
LIMIT_S = 900
SEED = "8"


@pytest.mark.parametrize("auth", ["keys", "off"])
def test_every_answer_is_one_that_the_document_names(auth: str, tmp_path: Path) -> None:
    with Service(tmp_path, auth) as service:
        jobs = [_submit(service) for _ in range(JOBS)]
        (series,) = service.ask("GET", "/v1/series")["series"]
        (tmp_path / "jobs").write_text("\n".join(jobs))
        for job_id in jobs[: JOBS // 3]:
            service.ask("POST", f"/v1/jobs/{job_id}/cancel")
        report = _run(service, tmp_path, series["id"])
    failures = json.dumps(report["failures"], indent=1)[:5000]
    assert report["exit_code"] == 0, failures
    assert report["complete"]
    assert report["test_cases"]["generated"] >= CASES // 2, report["test_cases"]
    assert '"level": "error"' not in service.log()


def _run(service: Service, folder: Path, series_id: str) -> dict:
    report = folder / "report.json"
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        *("--config-file", str(ROOT / "tests" / "contract" / "schemathesis.toml")),
        *("run", f"{service.url}/openapi.json", "--no-color", "--continue-on-failure", "--seed", SEED),
        *("--max-examples", str(EXAMPLES["keys" if service.key else "off"]), "--max-redirects", "0"),
        *("--generation-deterministic", "--request-timeout", "60", "--report-json-path", str(report)),
        *(("-H", f"Authorization: Bearer {service.key}") if service.key else ()),
    ]
    environment = os.environ | {
        "SCHEMATHESIS_HOOKS": "tests.contract.hooks",
        "NURIE_CONTRACT_JOBS": str(folder / "jobs"),
        "NURIE_CONTRACT_SERIES": series_id,
        "PYTHONPATH": str(ROOT),
        "HYPOTHESIS_STORAGE_DIRECTORY": str(folder / "hypothesis"),
    }
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    assert report.exists(), done.stdout[-3000:] + done.stderr[-3000:]
    (folder / "schemathesis.log").write_text(done.stdout)
    return json.loads(report.read_text())


def _submit(service: Service) -> str:
    boundary = "nurie-contract"
    parts = (("pages", "001.png", GREY), ("references", "r.png", COLOURED))
    body = b"".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n\r\n'.encode()
        + data
        + b"\r\n"
        for field, name, data in parts
    )
    body += f'--{boundary}\r\nContent-Disposition: form-data; name="series"\r\n\r\nNight Scans\r\n'.encode()
    body += f"--{boundary}--\r\n".encode()
    return service.ask("POST", "/v1/jobs", body, f"multipart/form-data; boundary={boundary}")["id"]
