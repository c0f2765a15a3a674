"""What schemathesis cannot make up: pictures that are some, and ids of jobs and of a series that are there.

`NURIE_CONTRACT_JOBS` names the file that holds the ids, one a line; the first of them is a job that has ended.
`NURIE_CONTRACT_SERIES` is the id of a series.
"""

import os
from pathlib import Path

import schemathesis
from hypothesis import strategies as st

from tests.contract.pictures import COLOURED, GREY

JOBS = Path(os.environ["NURIE_CONTRACT_JOBS"]).read_text().split()
SERIES = os.environ["NURIE_CONTRACT_SERIES"]
LONGEST_WAIT_S = 0.1

schemathesis.openapi.format("binary", st.sampled_from((COLOURED, COLOURED, GREY, b"no picture")))


@schemathesis.hook
def before_call(context, case, kwargs):
    """Two of three requests for a job or series are for one that is there, a job's first page; none takes minutes."""
    parameters, query = case.path_parameters, case.query
    if parameters and "job_id" in parameters:
        draw = sum(map(ord, str(parameters["job_id"])))
        if case.operation.path.endswith("/events"):
            parameters["job_id"] = JOBS[0]  # the events of another would come for minutes
        elif draw % 3:
            parameters["job_id"] = JOBS[draw % len(JOBS)]
            if "number" in parameters:
                parameters["number"] = 1
    # Not where it would be deleted: the others look for it still.
    if parameters and "series_id" in parameters and case.operation.method.upper() != "DELETE":
        draw = sum(map(ord, str(parameters["series_id"])))
        if draw % 3:
            parameters["series_id"] = SERIES
    if query and _is_long(query.get("wait")):
        query["wait"] = LONGEST_WAIT_S


def _is_long(wait: object) -> bool:
    try:
        return LONGEST_WAIT_S < float(str(wait)) <= 30
    except ValueError:
        return False
