"""An evaluation at the door: two sets of pictures that somebody has already, kept one file after the other."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from api.context import Context
from api.incoming import Checked, IncomingFile, read_all
from api.intake import check_count, check_reference
from common.errors import ConflictError, DatabaseError, InputError
from common.jobs.ids import sha256_hex
from common.jobs.records import NewEvaluation
from storage import keys


@dataclass(frozen=True)
class Evaluation:
    """What a client sent, not yet checked; a result and its true picture have the same name."""

    real: Sequence[IncomingFile] = ()
    output: Sequence[IncomingFile] = ()
    references: Sequence[IncomingFile] = ()
    keep_days: float | None = None
    callback_url: str | None = None
    name: str | None = None


def submit_evaluation(context: Context, evaluation: Evaluation, job_id: str) -> None:
    """Check an evaluation, store its files, and create the job under this id.

    Whether each file is a picture is seen when it is scored: the report names those that are none, and scores the rest.

    Raises:
        InputError: what is wrong, in which file, and the limit; then nothing is left behind.
        StorageError: storage does not answer; what had been stored was deleted again, as far as possible.
    """
    sides = {"real": evaluation.real, "output": evaluation.output}
    for side, files in sides.items():
        _check_side(context, side, files)
    check_count("references", evaluation.references, context.settings.max_references)
    references = [check_reference(context, number, file) for number, file in enumerate(evaluation.references, 1)]

    try:
        kept = {
            side: [_keep(context, file, keys.evaluated(job_id, side, index)) for index, file in enumerate(files, 1)]
            for side, files in sides.items()
        }
        kept_references = [
            reference.keep(context.store, keys.reference(job_id, number)) | {"name": reference.file.name}
            for number, reference in enumerate(references, 1)
        ]
        context.jobs.create_evaluation(
            NewEvaluation(
                job_id,
                context.tenant_id,
                kept["real"],
                kept["output"],
                kept_references,
                evaluation.keep_days,
                evaluation.callback_url,
                stored_bytes=sum(entry["size"] for entries in (*kept.values(), kept_references) for entry in entries),
                name=evaluation.name,
            ),
            context.limits,
        )
    except (DatabaseError, ConflictError):
        raise  # what was lost may be the answer only, and the job be there; files of no job are swept away
    except Exception:
        context.store.delete_prefix(keys.job_prefix(job_id))
        raise
    context.wake_control()


def _check_side(context: Context, side: str, files: Sequence[IncomingFile]) -> None:
    if not files:
        raise InputError(f"{side}: send at least one picture")
    check_count(side, files, context.settings.max_pages)
    by_stem: dict[str, str] = {}
    for file in files:
        # Stricter than the pairing, which minds case: names that differ in no more than that are a mistake.
        stem = str(PurePosixPath(file.name).with_suffix("")).casefold()
        if stem in by_stem:
            raise InputError(f"{side}: {by_stem[stem]} and {file.name} have the same name: which one is meant?")
        by_stem[stem] = file.name


def _keep(context: Context, file: IncomingFile, key: str) -> dict[str, Any]:
    data = read_all(file, context.settings.max_image_bytes)
    return Checked(file, sha256_hex(data), len(data)).keep(context.store, key) | {"name": file.name}
