"""The tree of errors. Every error that leaves a module of Nurie is one of these, with a stable code.

NurieError                  internal              a bug of ours
├── InputError              bad_request           what a client sent is wrong: it gives up
│   ├── BadImageError       bad_image             not a picture, truncated, or a format that we do not read
│   ├── BadArchiveError     bad_archive           an archive that is damaged or not safe to open
│   ├── TooLargeError       too_large             over a limit of pixels, bytes or entries
│   └── BadParamsError      bad_params            a parameter is unknown or out of range
├── NotFoundError           not_found             no such job, page, upload or artifact
├── AuthError               unauthorized          no key, or none that is good
├── ScopeError              forbidden             the key is good, but does not allow this
├── ReusedKeyError          idempotency_key_reused  an Idempotency-Key that belongs to another request
├── QuotaError              quota_exceeded        over what the tenant may use
├── ConflictError           conflict              not possible in the state that the job is in
│   └── SeriesChangedError  conflict              a series is no longer what it was seen to be: look again
├── ModelMissingError       model_missing         weights that a stage needs are not there or damaged
├── TrainingFailedError     training_failed       a reference taught nothing (for example NaN losses)
├── CancelledError          cancelled             the job was cancelled while a stage ran
└── RetryableError          internal              worth another try, later
    ├── OutageError         internal              what all share is away: no fault of a page, never held against it
    │   ├── StorageError    storage_unavailable   the object store does not answer
    │   ├── DatabaseError   database_unavailable  the database does not answer
    │   └── BrokerError     broker_unavailable    Redis does not answer
    ├── OutOfMemoryError    out_of_memory
    ├── StageTimeoutError   stage_timeout         a stage ran over its hard limit
    ├── WorkerLostError     worker_lost           a worker died or fell silent while it held a page
    │   └── DeviceLostError worker_lost           a GPU or its driver failed under a stage
    └── ModelLostError      model_missing         a reference model is gone or damaged: it is trained again
"""

from typing import ClassVar


class NurieError(Exception):
    """Base of all. `str()` of it is meant for clients: it names what is wrong, where, and the limit."""

    code: ClassVar[str] = "internal"


class InputError(NurieError):
    code = "bad_request"


class BadImageError(InputError):
    code = "bad_image"


class BadArchiveError(InputError):
    code = "bad_archive"


class TooLargeError(InputError):
    code = "too_large"


class BadParamsError(InputError):
    code = "bad_params"


class NotFoundError(NurieError):
    code = "not_found"


class AuthError(NurieError):
    code = "unauthorized"


class ScopeError(NurieError):
    code = "forbidden"


class QuotaError(NurieError):
    """Which limit of the tenant it is, how high that is, and how much of it is left."""

    code = "quota_exceeded"

    def __init__(self, message: str, name: str, limit: int, left: int) -> None:
        super().__init__(message)
        self.name, self.limit, self.left = name, limit, left


class ReusedKeyError(NurieError):
    code = "idempotency_key_reused"


class ConflictError(NurieError):
    code = "conflict"


class SeriesChangedError(ConflictError):
    pass


class InFlightError(ConflictError):
    pass


class ModelMissingError(NurieError):
    code = "model_missing"


class TrainingFailedError(NurieError):
    code = "training_failed"


class CancelledError(NurieError):
    code = "cancelled"


class RetryableError(NurieError):
    pass


class OutageError(RetryableError):
    pass


class StorageError(OutageError):
    code = "storage_unavailable"


class DatabaseError(OutageError):
    code = "database_unavailable"


class BrokerError(OutageError):
    code = "broker_unavailable"


class OutOfMemoryError(RetryableError):
    code = "out_of_memory"


class StageTimeoutError(RetryableError):
    code = "stage_timeout"


class WorkerLostError(RetryableError):
    code = "worker_lost"


class DeviceLostError(WorkerLostError):
    pass


class ModelLostError(RetryableError):
    code = "model_missing"
