"""What can be checked of the deployment files without a container engine."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose
from prometheus_client.parser import text_string_to_metric_families

from api.settings import Settings
from tests.api.server import serving

ROOT = Path(__file__).parents[2]
COMPOSE = [ROOT / "docker-compose.yml", ROOT / "deploy" / "qdrant-cluster.yml"]
DOCKERFILES = sorted((ROOT / "deploy").glob("Dockerfile.*"))


def filled(path: Path) -> str:
    """The file as compose reads it: merge keys resolved, `${NAME:-default}` replaced by default."""
    resolved = yaml.safe_load(path.read_text())
    return str(yaml.safe_dump({k: _interpolated(v) for k, v in resolved.items() if k[:2] != "x-"}))


def _interpolated(value: Any) -> Any:  # noqa: ANN401 - any YAML
    if isinstance(value, dict):
        return {key: _interpolated(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_interpolated(inner) for inner in value]
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value) if isinstance(value, str) else value


@pytest.mark.parametrize("path", COMPOSE, ids=lambda path: path.name)
def test_compose_files_fit_the_specification(path: Path) -> None:
    compose = PyCompose.from_yaml(filled(path))
    assert compose.service_names()


def test_a_misspelt_key_would_be_found() -> None:
    with pytest.raises(Exception, match="imagee"):
        PyCompose.from_yaml("services: {a: {imagee: x}}")


def test_every_profile_is_there() -> None:
    services = yaml.safe_load(filled(COMPOSE[0]))["services"]
    profiles = {profile for service in services.values() for profile in service["profiles"]}
    assert profiles == {"cpu", "gpu", "qdrant", "chat", "monitoring"}


def test_compose_sets_only_settings_that_exist() -> None:
    for path in COMPOSE:
        for name in re.findall(r"POLYLENS_(\w+)", path.read_text()):
            assert name.lower() in Settings.model_fields, name


def test_prometheus_asks_by_a_name_that_the_service_goes_by(tmp_path: Path) -> None:
    services = yaml.safe_load(filled(COMPOSE[0]))["services"]
    scraped = yaml.safe_load((ROOT / "deploy/prometheus.yml").read_text())["scrape_configs"]
    [target] = scraped[0]["static_configs"][0]["targets"]
    for name in ("polylens", "polylens-gpu"):
        allowed = json.loads(services[name]["environment"]["POLYLENS_ALLOWED_HOSTS"])
        with serving(tmp_path / name, allowed_hosts=allowed) as served:
            assert served.client.get("/metrics", headers={"host": target}).status_code == 200


def test_files_that_are_mounted_are_there() -> None:
    for host in re.findall(r"\./(deploy/[\w./-]+):", COMPOSE[0].read_text()):
        assert (ROOT / host).exists(), host


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_dockerfiles_copy_what_is_there_and_do_not_run_as_root(path: Path) -> None:
    lines = path.read_text().splitlines()
    for line in lines:
        if line.startswith("COPY"):
            *sources, _ = line.split()[1:]
            assert all((ROOT / source).exists() for source in sources), line
    assert lines.index("USER polylens") > max(n for n, x in enumerate(lines) if "RUN" in x)
    assert any(line.startswith("HEALTHCHECK") for line in lines)


def test_the_dashboard_shows_every_metric_and_no_other(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        exposed = text_string_to_metric_families(served.client.get("/metrics").text)
    known = {family.name for family in exposed if not family.name.endswith("_created")}
    dashboard = json.loads((ROOT / "deploy/grafana/polylens.json").read_text())
    panels = dashboard["panels"]
    expressions = [target["expr"] for panel in panels for target in panel["targets"]]
    asked = set(re.findall(r"polylens_\w+?(?=_total|_bucket|\W|$)", " ".join(expressions)))
    assert asked == known
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels]
    assert len({panel["id"] for panel in panels}) == len(set(places)) == len(panels)
