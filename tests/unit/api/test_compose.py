"""The Compose files are valid, keep their containers on a short lead, and agree with the images and the settings."""

import re
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from api.app import create_app
from common.names import STAGES
from common.settings import Settings
from storage.s3 import S3Store
from tests.unit.api.images import DOCKER, ROOT, environment_of, procfile_command, read_stages, steps_of
from workers.celery import HARD_LIMIT_AFTER_S

FILES = [DOCKER / "compose.yaml", DOCKER / "compose.gpu.yaml"]
COMPOSE, GPU = (yaml.safe_load(file.read_text()) for file in FILES)
SERVICES = COMPOSE["services"]
EXAMPLE = dict(
    line.split("=", 1) for line in (DOCKER / ".env.example").read_text().splitlines() if re.match(r"[A-Z]", line)
)
CADDYFILE = (DOCKER / "caddy" / "Caddyfile").read_text()
UNITS = {"s": 1, "m": 60, "h": 3600}
HOLE = re.compile(r"\$\$|\$\{(\w+)(?:(:[-?])([^}]*))?\}")


def holes() -> list[tuple[str, str, str]]:
    """All (variable, operator, default or message) that the Compose files are filled with."""
    return [match.groups() for file in FILES for match in HOLE.finditer(file.read_text()) if match[1]]


def fill(text: str, values: dict[str, str]) -> str:
    """As Compose does it."""
    return HOLE.sub(lambda hole: values.get(hole[1]) or hole[3] or "" if hole[1] else "$", text)


def seconds(duration: str) -> int:
    return sum(int(number) * UNITS[unit] for number, unit in re.findall(r"(\d+)([smh])", duration))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_the_file_is_valid(file):
    command = [ROOT / ".venv/bin/check-jsonschema", "--builtin-schema", "vendor.compose-spec", file]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_docker_compose_itself_takes_the_files():
    command = ["docker", "compose"]
    try:
        subprocess.run([*command, "version"], capture_output=True, check=True, timeout=30)
    except (FileNotFoundError, subprocess.CalledProcessError):
        pytest.skip("there is no `docker compose` here; the schema above is all that was checked")
    values = {name: value or "x" for name, value in EXAMPLE.items()}
    files = [word for file in FILES for word in ("-f", file)]
    done = subprocess.run(
        [*command, *files, "config", "-q"], env={"PATH": "/usr/local/bin:/usr/bin:/bin", **values}, check=False
    )
    assert done.returncode == 0


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_kept_on_a_short_lead(name):
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert set(service.get("cap_add", [])) <= {"NET_BIND_SERVICE"}
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["init"] is True
    assert service["restart"] == ("no" if name == "nurie" else "unless-stopped")
    assert {"cpus", "memory", "pids"} <= service["deploy"]["resources"]["limits"].keys()
    assert seconds(service["stop_grace_period"]) >= 30
    assert re.search(r":(?!latest)[\w.{}$:-]+$", service["image"])
    assert "healthcheck" in service or service["image"].startswith("nurie/")
    mounts = [mount.rsplit(":", 1)[0].rpartition(":")[2] for mount in service.get("volumes", []) if ":" in mount]
    assert len(mounts) == len(set(mounts))


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_may_end_what_it_is_at_before_it_is_killed(stage):
    longest = {"cgan": "training_limit_s", "metrics": "set_limit_s"}.get(stage, "stage_limit_s")
    limit_s = Settings.model_fields[longest].default + HARD_LIMIT_AFTER_S
    assert seconds(SERVICES[stage]["stop_grace_period"]) >= limit_s


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_has_its_own_image_and_no_way_out(stage):
    service = SERVICES[stage]
    assert service["image"].startswith(f"nurie/{stage}:")
    assert service["build"]["target"] == stage
    assert "command" not in service
    assert service["networks"] == ["inside"]
    assert COMPOSE["networks"]["inside"] == {"internal": True}


def test_every_image_that_is_built_is_one_of_the_dockerfile():
    targets = {service["build"]["target"] for service in SERVICES.values() if "build" in service}
    assert targets == {"api", *(stage.value for stage in STAGES)}
    assert targets <= read_stages().keys()


def test_two_controls_run_from_the_image_of_the_api():
    control = SERVICES["control"]
    assert control["image"] == SERVICES["api"]["image"]
    assert control["command"] == procfile_command("control")
    assert control["deploy"]["replicas"] == 2
    port = environment_of(steps_of(read_stages(), "api"))["NURIE_METRICS_PORT"]
    assert control["healthcheck"]["test"] == ["CMD", "python", "-I", "/nurie/health.py", port]


def test_cgan_has_no_gpu_as_it_has_no_use_of_one():
    assert set(GPU["services"]) == set(STAGES) - {"cgan"}


@pytest.mark.parametrize("stage", GPU["services"])
def test_with_gpus_a_stage_is_built_for_one_and_does_without_none(stage):
    service = GPU["services"][stage]
    assert service["build"]["args"] == {"ACCELERATOR": "cu"}
    assert service["image"] == SERVICES[stage]["image"] + "-cu"
    assert service["environment"] == {"NURIE_DEVICE": "cuda"}
    (device,) = service["deploy"]["resources"]["reservations"]["devices"]
    assert device["device_ids"] == [f"${{{stage.upper()}_GPU:-0}}"]


def test_every_setting_that_is_named_is_one():
    known = {f"NURIE_{name.upper()}" for name in Settings.model_fields}
    texts = {file: file.read_text() for file in DOCKER.rglob("*") if file.is_file() and file.suffix != ".pyc"}
    for file, text in texts.items():
        assert set(re.findall(r"NURIE_[A-Z0-9_]*[A-Z0-9]", text)) <= known, file


def test_the_example_explains_every_variable_and_no_other():
    assert {name for name, _, _ in holes()} == EXAMPLE.keys()
    lines = (DOCKER / ".env.example").read_text().splitlines()
    assert [line for line in lines if line and not re.match(r"#|[A-Z0-9_]+=", line)] == []


def test_what_has_a_default_has_the_same_in_the_example():
    for name, operator, default in holes():
        if operator == ":-":
            assert EXAMPLE[name] == default, name


def test_nothing_secret_has_a_default_and_what_is_missing_is_said():
    required = {name for name, operator, message in holes() if operator == ":?" and message}
    assert required >= {name for name in EXAMPLE if re.search("PASSWORD|SECRET|TOKEN|PUBLIC", name)}
    assert {name for name, operator, _ in holes() if operator != ":?"} & required == set()
    assert {EXAMPLE[name] for name in required} == {""}


def mounted() -> list[str]:
    """What is mounted: files beside compose.yaml as ./…, volumes by name."""
    mounts = [mount for service in SERVICES.values() for mount in service.get("volumes", [])]
    return [mount.partition(":")[0] for mount in mounts if ":" in mount]


def test_every_volume_is_declared_and_used():
    assert {source for source in mounted() if not source.startswith("./")} == COMPOSE["volumes"].keys()


@pytest.mark.parametrize("source", sorted({source for source in mounted() if source.startswith("./")}))
def test_every_mounted_file_is_there(source):
    assert (DOCKER / source).exists()


@pytest.fixture
def settings(monkeypatch):
    """The API's, as Compose gives them with a filled-in .env."""
    values = EXAMPLE | dict.fromkeys((name for name in EXAMPLE if not EXAMPLE[name]), "0123456789abcdef")
    values |= {"PUBLIC_URL": "https://nurie.example.org", "PUBLIC_HOST": "nurie.example.org"}
    image = environment_of(steps_of(read_stages(), "api"))
    for name, value in (image | SERVICES["api"]["environment"]).items():
        if name.startswith("NURIE_"):
            monkeypatch.setenv(name, fill(str(value), values))
    return Settings()


def test_the_api_starts_with_keys_on_every_address(settings):
    assert (settings.host, settings.auth) == ("0.0.0.0", "keys")
    app = create_app(settings)
    assert isinstance(app.extensions["nurie"].store, S3Store)
    assert app.test_client().get("/v1/jobs").status_code == 401


def test_signed_urls_lead_through_the_proxy_to_the_bucket(settings):
    app = create_app(settings)
    url = app.extensions["nurie"].store.presign_get("a/b", expires_s=60, filename=None, media_type="image/png")
    parts = urlsplit(url)
    assert f"{parts.scheme}://{parts.netloc}" == settings.public_url
    bucket = re.search(r"@bucket path (\S+) (\S+)", CADDYFILE)
    assert bucket.groups() == (f"/{urlsplit(settings.storage_url).netloc}", bucket[1] + "/*")
    assert parts.path.startswith(bucket[1] + "/")
    assert SERVICES["proxy"]["networks"]["inside"]["aliases"] == ["${PUBLIC_HOST:?see docker/.env.example}"]
    routes = {str(rule).split("/")[1] for rule in app.url_map.iter_rules()}
    assert bucket[1].removeprefix("/") not in routes


def test_the_proxy_knows_services_ports_and_limits():
    upstreams = dict(re.findall(r"reverse_proxy (\w+):(\d+)", CADDYFILE))
    assert upstreams == {"api": str(Settings.model_fields["port"].default), "s3": "7070"}
    assert upstreams.keys() <= SERVICES.keys()
    (limit,) = re.findall(r"max_size (\d+)GB", CADDYFILE)
    assert int(limit) * 1_000_000_000 == Settings.model_fields["max_request_bytes"].default
    assert re.search(r"@inside path /metrics /metrics/\*\s+handle @inside {\s+respond 404", CADDYFILE)


@pytest.mark.parametrize(("size", "is_refused"), [(0, 0), (1_999_999_999, 0), (2_000_000_001, 1), (10**10, 1)])
def test_the_proxy_refuses_what_says_that_it_is_too_large(size, is_refused):
    (pattern,) = re.findall(r"header_regexp Content-Length (\S+)", CADDYFILE)
    (allowed,) = re.findall(r"not header Content-Length (\d+)", CADDYFILE)
    assert int(allowed) == Settings.model_fields["max_request_bytes"].default
    assert bool(re.search(pattern, str(size))) == bool(is_refused)


def test_broker_and_database_are_where_the_settings_say(settings):
    broker, database = urlsplit(settings.broker_url), urlsplit(settings.database_url)
    assert {broker.hostname, database.hostname} <= SERVICES.keys()
    assert database.path.removeprefix("/") == SERVICES["postgres"]["environment"]["POSTGRES_DB"]
    command = "\n".join(SERVICES["redis"]["command"])
    for line in ("requirepass $$REDISCLI_AUTH", "appendonly yes", "maxmemory-policy noeviction"):
        assert line in command


def test_only_the_proxy_and_grafana_can_be_reached_from_outside():
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published.keys() == {"proxy", "grafana"}
    assert all(port.startswith("127.0.0.1:") for port in published["grafana"])


def test_the_example_is_no_file_that_git_takes_for_real():
    assert "/docker/.env" in Path(ROOT / ".gitignore").read_text().splitlines()
