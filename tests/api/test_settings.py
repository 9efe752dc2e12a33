import json
import tomllib
from pathlib import Path

import pytest
from pydantic import ValidationError

from api.settings import Settings


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_flag_beats_a_variable_beats_the_file_beats_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Settings().port == 8000
    (tmp_path / "polylens.toml").write_text('port = 1\ncollection = "photos"\n')
    assert Settings().port == 1
    monkeypatch.setenv("POLYLENS_PORT", "2")
    assert Settings().port == 2
    assert Settings(port=3).port == 3
    assert Settings().collection == "photos"


def test_the_file_can_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "other.toml").write_text('data = "/srv/polylens"\n')
    monkeypatch.setenv("POLYLENS_CONFIG", "other.toml")
    assert Settings().data == Path("/srv/polylens")


def test_the_data_folder_follows_the_xdg_convention(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/srv/data")
    assert Settings().data == Path("/srv/data/polylens")
    monkeypatch.delenv("XDG_DATA_HOME")
    assert Settings().data == Path.home() / ".local/share/polylens"


def test_an_unknown_setting_is_refused(tmp_path: Path) -> None:
    (tmp_path / "polylens.toml").write_text("prot = 1\n")
    with pytest.raises(ValidationError, match="prot"):
        Settings()


def test_a_key_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYLENS_QDRANT_API_KEY", "hunter2")
    settings = Settings()
    assert settings.qdrant_api_key
    assert settings.qdrant_api_key.get_secret_value() == "hunter2"
    assert "hunter2" not in f"{settings!r} {settings.model_dump_json()}"


QDRANT = """
qdrant_url = "http://localhost:6333"
qdrant_shards = 6
qdrant_replicas = 3
qdrant_write_consistency = 2
qdrant_on_disk = true
qdrant_quantization = "int8"
qdrant_oversampling = 3
qdrant_timeout = 60
qdrant_batch = 100
qdrant_indexes = {taken = "time", location = "place"}
"""


def test_qdrant_is_set_in_the_file_or_by_variables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "polylens.toml").write_text(QDRANT)
    by_file = Settings()
    (tmp_path / "polylens.toml").unlink()
    for name, value in tomllib.loads(QDRANT).items():
        text = json.dumps(value) if isinstance(value, dict) else str(value)
        monkeypatch.setenv(f"POLYLENS_{name.upper()}", text)
    assert Settings() == by_file
    assert by_file.qdrant_indexes == {"taken": "time", "location": "place"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("shards", 0),
        ("shards", "many"),
        ("replicas", -1),
        ("write_consistency", 0),
        ("quantization", "int4"),
        ("oversampling", 0.5),
        ("oversampling", float("nan")),
        ("timeout", 0),
        ("batch", 100_000),
        ("indexes", {"a": "geo"}),
    ],
)
def test_settings_of_qdrant_that_cannot_be(name: str, value: object) -> None:
    with pytest.raises(ValidationError, match=f"qdrant_{name}"):
        Settings.model_validate({f"qdrant_{name}": value})


def test_more_copies_cannot_acknowledge_than_there_are() -> None:
    assert Settings(qdrant_replicas=2, qdrant_write_consistency=2).qdrant_replicas == 2
    with pytest.raises(ValidationError, match="more than qdrant_replicas"):
        Settings(qdrant_replicas=2, qdrant_write_consistency=3)


def test_an_empty_variable_is_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compose files pass on variables that are not set as empty ones."""
    for name in ("QDRANT_URL", "CHAT", "ENCODER"):
        monkeypatch.setenv(f"POLYLENS_{name}", "")
    settings = Settings()
    assert settings.qdrant_url is settings.chat is settings.encoder is None
