"""References of jobs and of series, shown by their number."""

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

from flask import redirect
from werkzeug.wrappers import Response as BaseResponse

from api.context import get_context
from api.views import media_type_of
from common.errors import NotFoundError


def redirect_to_reference(references: Sequence[dict[str, Any]], number: int, owner: str) -> BaseResponse:
    """Redirect to a signed URL of a reference.

    Args:
        references: [{name, key}].
        number: from 1.
        owner: whose they are, for errors.

    Raises:
        NotFoundError: there is none of this number.
    """
    if not 1 <= number <= len(references):
        raise NotFoundError(f"{owner} has references 1 to {len(references)}, no {number}")
    context, reference = get_context(), references[number - 1]
    url = context.store.presign_get(
        reference["key"],
        expires_s=context.settings.url_lifetime_s,
        filename=f"reference-{number}{PurePosixPath(reference['name']).suffix}",
        media_type=media_type_of(reference["name"]),
    )
    return redirect(url, 302)
