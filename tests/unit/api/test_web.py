"""The web page and the API's description as files: what they name is there, and whom they may ask."""

import re

import pytest
from pydantic import SecretStr

from api.app import create_app, prepare
from api.context import EXTENSION
from api.web import page_policy
from common.settings import Settings
from storage.configured import open_configured_store
from tests.unit.api.conftest import on_sqlite


@on_sqlite
def test_the_web_page_and_all_that_it_names_are_there(client, settings):
    with client.get("/", base_url=settings.base_url) as page:
        assert page.mimetype == "text/html"
        assert "script-src 'self';" in page.headers["Content-Security-Policy"]
        named = re.findall(r'(?:src|href)="(/[^"]+)"', page.text)
    assert len(named) >= 3
    for path in named:
        with client.get(path) as file:
            assert file.status_code == 200, path
    # A worker may import, whatever the browser.
    with client.get("/web/blend-worker.js") as file:
        assert "script-src 'self';" in file.headers["Content-Security-Policy"]
    # Under another name of this machine it could not fetch what signed URLs lead to.
    with client.get("/", base_url="http://localhost:9") as other:
        assert (other.status_code, other.headers["Location"]) == (302, f"{settings.base_url}/")


@on_sqlite
@pytest.mark.parametrize("changes", [{"port": 80}, {"public_url": "http://localhost:1"}])
def test_no_page_sends_a_browser_to_itself(settings, broker_there, changes):
    changed = settings.model_copy(update=changes)
    prepare(changed)
    app = create_app(changed)
    with app.test_client().get("/", base_url=f"http://127.0.0.1:{changed.port}") as page:
        assert page.status_code == 200
    app.extensions[EXTENSION].database.close()


@pytest.mark.parametrize(
    ("endpoint", "origin"),
    [("https://s3.example:9000", "https://s3.example:9000"), (None, "https://pages.s3.amazonaws.com")],
)
def test_the_page_may_reach_the_bucket_and_nothing_else(endpoint, origin):
    settings = Settings(
        storage_url="s3://pages/p", s3_endpoint_url=endpoint, s3_access_key="a", s3_secret_key=SecretStr("s")
    )
    policy = page_policy(open_configured_store(settings))
    assert f"img-src 'self' {origin} blob: data:;" in policy
    assert f"connect-src 'self' {origin};" in policy


@on_sqlite
def test_the_description_loads_nothing_from_elsewhere(client):
    with client.get("/docs") as page:
        html = page.get_data(as_text=True)
    assert "://" not in html
    assert "<script>" not in html
    for path in ("/docs/swagger-ui.css", "/docs/swagger-ui-bundle.js", "/web/docs.js"):
        assert path in html
        with client.get(path) as file:
            assert file.status_code == 200
    assert client.get("/docs/swagger-ui-standalone-preset.js").status_code == 404
