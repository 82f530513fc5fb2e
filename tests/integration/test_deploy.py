"""The files for containers fit the program: configurations hold, exports are up to date."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path
from typing import Any

import check_jsonschema
import kubernetes_validate
import pytest
import yaml
from jsonschema.validators import validator_for

from monitor.config import load
from monitor.exports import dashboard, rules

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "deploy" / "compose"
KUBERNETES = ROOT / "deploy" / "kubernetes" / "credit-monitor.yaml"
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
ENVIRON = {"KIE_API_KEY": "sk-12345678", "SLACK_URL": "slack://TokenAAAA/TokenBBBB/" + "c" * 24}


def read(file: Path) -> Any:
    return yaml.safe_load(file.read_text(encoding="utf-8"))


def manifests() -> dict[str, Any]:
    found = yaml.safe_load_all(KUBERNETES.read_text(encoding="utf-8"))
    return {each["kind"]: each for each in found}


def test_the_configuration_of_the_compose_file_holds() -> None:
    settings = load(COMPOSE / "config.yaml", ENVIRON).settings
    assert settings.web is not None
    assert settings.web.listen == "0.0.0.0:9750"


def test_its_rules_and_dashboard_are_what_the_program_exports() -> None:
    settings = load(COMPOSE / "config.yaml", ENVIRON).settings
    written = read(COMPOSE / "prometheus" / "credit-monitor.rules.yml")
    assert written == rules(settings, "credit-monitor"), "export it again"
    panels = json.loads((COMPOSE / "grafana/dashboards/credit-monitor.json").read_text("utf-8"))
    assert panels == dashboard(), "export it again"


def test_every_file_that_the_compose_file_mounts_is_there() -> None:
    services = read(COMPOSE / "compose.yaml")["services"]
    volumes = [v for service in services.values() for v in service["volumes"]]
    for source in (v.split(":")[0] for v in volumes if v.startswith("./")):
        assert (COMPOSE / source).exists(), source
    for name, service in services.items():
        assert all(port.startswith("127.0.0.1:") for port in service["ports"]), name
        assert service["cap_drop"] == ["ALL"], name


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_takes_its_prometheus_configuration(tmp_path: Path) -> None:
    text = (COMPOSE / "prometheus" / "prometheus.yml").read_text(encoding="utf-8")
    file = tmp_path / "prometheus.yml"
    file.write_text(text.replace("/etc/prometheus", str(COMPOSE / "prometheus")))
    command = ("promtool", "check", "config", str(file))
    told = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert told.returncode == 0, told.stdout + told.stderr


@pytest.mark.skipif(shutil.which("amtool") is None, reason="amtool is not installed")
def test_amtool_takes_its_alertmanager_configuration() -> None:
    command = ("amtool", "check-config", str(COMPOSE / "alertmanager.yml"))
    told = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert told.returncode == 0, told.stdout + told.stderr


def test_the_configuration_in_kubernetes_holds(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(manifests()["ConfigMap"]["data"]["config.yaml"])
    settings = load(file, ENVIRON).settings
    assert settings.store.get_secret_value() == "sqlite:////data/credit-monitor.db"
    assert set(manifests()["Secret"]["stringData"]) == set(ENVIRON)


def test_the_compose_file_keeps_to_the_compose_specification() -> None:
    schema = files(check_jsonschema) / "builtin_schemas" / "vendor" / "compose-spec.json"
    document = json.loads(schema.read_text(encoding="utf-8"))
    validator = validator_for(document)(document)
    found = [error.message for error in validator.iter_errors(read(COMPOSE / "compose.yaml"))]
    assert not found


@pytest.mark.parametrize(
    "kind", ["Secret", "ConfigMap", "PersistentVolumeClaim", "Deployment", "Service"]
)
def test_a_manifest_keeps_to_what_kubernetes_publishes_and_has_no_other_field(kind: str) -> None:
    version = kubernetes_validate.latest_version()
    kubernetes_validate.validate(manifests()[kind], version, strict=True)


def test_the_pod_is_what_the_image_is_made_for() -> None:
    pod = manifests()["Deployment"]["spec"]["template"]["spec"]
    [container] = pod["containers"]
    user = pod["securityContext"]["runAsUser"]
    assert f"USER {user}:{user}" in DOCKERFILE
    assert container["securityContext"]["readOnlyRootFilesystem"]
    [port] = container["ports"]
    assert f"EXPOSE {port['containerPort']}" in DOCKERFILE
    probes = [container[name]["httpGet"]["path"] for name in ("livenessProbe", "readinessProbe")]
    assert probes == ["/healthz", "/readyz"]
    mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
    assert re.findall(r"^VOLUME (\S+)", DOCKERFILE, re.MULTILINE) == ["/data"]
    assert "/data" in mounts


def test_one_store_has_one_pod_and_prometheus_finds_it() -> None:
    found = manifests()
    spec = found["Deployment"]["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
    labels = spec["template"]["metadata"]["labels"]
    assert found["Service"]["spec"]["selector"].items() <= labels.items()
    selected = found["ServiceMonitor"]["spec"]["selector"]["matchLabels"]
    assert selected.items() <= found["Service"]["metadata"]["labels"].items()
    [endpoint] = found["ServiceMonitor"]["spec"]["endpoints"]
    assert endpoint["port"] in {port["name"] for port in found["Service"]["spec"]["ports"]}
