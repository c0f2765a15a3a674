"""The web page at `/` and the API's description for people at `/docs`: files, without a build step.

The description is drawn by Swagger UI, whose files come with a package; nothing is loaded from elsewhere.
"""

from pathlib import Path
from urllib.parse import urlsplit

import flask_openapi_swagger
from flask import Blueprint, Response, redirect, request, send_from_directory
from werkzeug.wrappers import Response as BaseResponse

from api.context import get_context
from common.errors import NotFoundError
from storage.protocol import ObjectStore

FOLDER = Path(__file__).parent / "web"
SWAGGER_FOLDER = Path(flask_openapi_swagger.__file__).parent / "templates" / "swagger"
SWAGGER_FILES = {"swagger-ui.css": "css", "swagger-ui-bundle.js": "js"}
"""What of it is served, and the folder that it lies in."""
DOCS_POLICY = (
    # Swagger UI writes style attributes and draws its icons from data: URLs; it runs no script of that kind.
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
FILE_POLICY = "default-src 'none'; script-src 'self'; frame-ancestors 'none'"
"""A worker goes by the policy of its own file, not the page's: it imports modules. Of browsers, WebKit minds."""

blueprint = Blueprint("web", __name__)


def page_policy(store: ObjectStore) -> str:
    """The page's: our own files, without inline script or style, and where pictures come from and go to."""
    signed = urlsplit(store.presign_get("any", expires_s=1, filename=None, media_type="image/png"))
    own = f"'self' {signed.scheme}://{signed.netloc}"
    return (
        f"default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; img-src {own} blob: data:; "
        f"connect-src {own}; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )


@blueprint.get("/")
def get_page() -> BaseResponse:
    context = get_context()
    settings = context.settings
    # As localhost, say: signed URLs name the one address, and a page of another origin may not fetch them. Not where a
    # proxy may stand between: what it makes of Host is not known.
    is_own = f"http://{request.host}" == settings.base_url.removesuffix(":80").lower()
    if settings.auth == "off" and settings.public_url is None and not is_own:
        return redirect(f"{settings.base_url}/")
    response = send_from_directory(FOLDER, "index.html")
    response.headers["Content-Security-Policy"] = page_policy(context.store)
    return response


@blueprint.get("/docs")
def get_docs() -> Response:
    response = send_from_directory(FOLDER, "docs.html")
    response.headers["Content-Security-Policy"] = DOCS_POLICY
    return response


@blueprint.get("/docs/<name>")
def get_swagger_file(name: str) -> Response:
    if name not in SWAGGER_FILES:
        raise NotFoundError("no such file")
    return send_from_directory(SWAGGER_FOLDER / SWAGGER_FILES[name], name)


@blueprint.get("/web/<path:name>")
def get_file(name: str) -> Response:
    response = send_from_directory(FOLDER, name)
    response.headers["Content-Security-Policy"] = FILE_POLICY
    return response
