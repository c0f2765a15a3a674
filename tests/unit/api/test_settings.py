"""Settings come from one class, documented, with defaults for a laptop."""

import stat
from pathlib import Path

import pytest
from pydantic import ValidationError

from common.secret import load_secret
from common.settings import Settings, describe_settings


def test_every_setting_is_documented():
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_settings_are_read_from_the_environment_with_our_prefix(monkeypatch):
    monkeypatch.setenv("NURIE_LEASE_S", "7.5")
    assert Settings().lease_s == 7.5


def test_database_and_storage_lie_in_the_data_folder_unless_named(monkeypatch, tmp_path):
    monkeypatch.setenv("NURIE_DATA", str(tmp_path))
    settings = Settings()
    assert settings.database_url == f"sqlite:///{tmp_path}/nurie.db"
    assert settings.storage_url == f"file://{tmp_path}/storage"


def test_a_value_out_of_range_is_refused_by_name(monkeypatch):
    monkeypatch.setenv("NURIE_PORT", "70000")
    with pytest.raises(ValidationError, match="port"):
        Settings()


def test_the_secret_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path):
    settings = Settings(data=tmp_path)
    first = load_secret(settings)
    assert load_secret(settings) == first
    assert len(first) == 64
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600


def test_a_secret_of_the_settings_goes_first_and_never_shows(tmp_path: Path):
    settings = Settings(data=tmp_path, secret="hush-hush")
    assert load_secret(settings) == "hush-hush"
    assert "hush-hush" not in repr(settings)


def test_the_guide_lists_every_setting_as_it_is():
    guide = (Path(__file__).resolve().parents[3] / "docs" / "settings.md").read_text()
    assert describe_settings() in guide
