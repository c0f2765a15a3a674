"""The web page at `/`: files of ours, without a build step."""

from pathlib import Path

from flask import Blueprint, Response, send_from_directory

FOLDER = Path(__file__).parent / "web"
# Nothing but our own files and the pictures that a bucket may serve.
POLICY = "default-src 'self'; img-src 'self' http: https:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'"

blueprint = Blueprint("web", __name__)


@blueprint.get("/")
def get_page() -> Response:
    response = send_from_directory(FOLDER, "index.html")
    response.headers["Content-Security-Policy"] = POLICY
    return response


@blueprint.get("/web/<path:name>")
def get_file(name: str) -> Response:
    return send_from_directory(FOLDER, name)
