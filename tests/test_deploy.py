"""deploy/, compose.yaml and the Dockerfile agree with the code: settings, metrics, calls, ports and times."""

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from api.http.bounds import KEEP_ALIVE
from api.push.mailbox import PING_EVERY
from streams import errors
from streams.settings import Settings, settings_from
from workers.demo.engines import free_port
from workers.relay import metrics

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
TERRAFORM = "\n".join(path.read_text() for path in sorted((DEPLOY / "terraform").glob("*.tf")))
GUIDE = (ROOT / "docs" / "deploy.md").read_text()
SOURCES = [path for room in ("api", "streams", "workers") for path in (ROOT / room).rglob("*.py")]

VARIABLES = {f"HEADWAY_{name.upper()}" for name in Settings.__struct_fields__}
VARIABLE = re.compile(r"HEADWAY_[A-Z_]*[A-Z](?![A-Z_*])")
METRIC = re.compile(r"\b(?:headway|process)_[a-z_]+")
METRIC_KINDS = {
    "Counter": ["_total"], "CounterMetricFamily": ["_total"],
    "Gauge": [""], "GaugeMetricFamily": [""],
    "Histogram": ["_bucket", "_sum", "_count"], "HistogramMetricFamily": ["_bucket", "_sum", "_count"],
}  # fmt: skip
OF_PYTHON = {"process_cpu_seconds_total", "process_max_fds", "process_open_fds", "process_resident_memory_bytes"}


def manifests() -> list[dict[str, Any]]:
    """Return every object of the Kubernetes example, kustomization included."""
    files = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
    return [manifest for path in files for manifest in yaml.safe_load_all(path.read_text())]


DEPLOYMENTS = [manifest for manifest in manifests() if manifest["kind"] == "Deployment"]
PORTS = {"headway-api": Settings().port, "headway-relay": Settings().metrics_port}
by_deployment = pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda one: one["metadata"]["name"])


@pytest.mark.parametrize(
    "path",
    [ROOT / "compose.yaml", ROOT / "Dockerfile", ROOT / "docs" / "deploy.md", *filter(Path.is_file, DEPLOY.rglob("*"))],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_every_setting_that_is_named_exists(path: Path) -> None:
    assert set(VARIABLE.findall(path.read_text())) <= VARIABLES


def test_the_guide_lists_every_setting() -> None:
    assert {
        name for line in GUIDE.splitlines() if line.startswith("| `") for name in VARIABLE.findall(line)
    } == VARIABLES


def test_the_settings_of_compose_and_kubernetes_are_taken() -> None:
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text())["x-headway"]["environment"]
    kustomization = next(one for one in manifests() if one["kind"] == "Kustomization")
    literals = [literal for generator in kustomization["configMapGenerator"] for literal in generator["literals"]]
    for environment in (compose, dict(literal.split("=", 1) for literal in literals)):
        assert settings_from(environment).host == "0.0.0.0"


def exported() -> dict[str, set[str]]:
    """Return the labels of every series that api and relay show, by its name, read from where each is made."""
    series: dict[str, set[str]] = {}
    for node in (node for path in SOURCES for node in ast.walk(ast.parse(path.read_text()))):
        match node:
            case ast.Call(func=ast.Name(id=kind), args=[ast.Constant(value=str(name)), *rest]) if kind in METRIC_KINDS:
                lists = [*rest, *(keyword.value for keyword in node.keywords)]
                labels = {
                    text for one in lists if isinstance(one, ast.List) for text in map(ast.literal_eval, one.elts)
                }
                series |= {f"{name}{ending}": labels for ending in METRIC_KINDS[kind]}
    return series


EXPORTED = exported()


def expressions() -> Iterator[tuple[str, str]]:
    """Yield (expression, what is shown of it) of every panel and every alert."""
    for panel in json.loads((DEPLOY / "grafana" / "headway.json").read_text())["panels"]:
        for target in panel.get("targets", ()):
            yield target["expr"], target["legendFormat"]
    for group in yaml.safe_load((DEPLOY / "prometheus" / "alerts.yaml").read_text())["groups"]:
        for rule in group["rules"]:
            yield rule["expr"], rule["annotations"]["summary"].replace("$labels.", "")


@pytest.mark.parametrize(("expression", "shown"), list(expressions()))
def test_dashboard_and_alerts_ask_for_what_is_exported(expression: str, shown: str) -> None:
    names = set(METRIC.findall(expression))
    assert names
    assert names <= EXPORTED.keys() | OF_PYTHON
    known = {"instance", "le"}.union(*(EXPORTED.get(name, ()) for name in names))
    grouped = {label for labels in re.findall(r"\b(?:by|on) \(([^)]*)\)", expression) for label in labels.split(", ")}
    picked = {label for labels in re.findall(r"\{(.*?)\}", expression) for label in re.findall(r"(\w+)[=!]", labels)}
    assert grouped | picked | set(re.findall(r"\{\{ ?(\w+) ?\}\}", shown)) <= known


def test_alerts_name_errors_that_exist() -> None:
    kinds = {
        kind for text, _ in expressions() for told in re.findall(r'kind=~"([^"]+)"', text) for kind in told.split("|")
    }
    assert kinds
    assert all(hasattr(errors, kind) for kind in kinds)


def actions(policy: str) -> dict[str, set[str]]:
    """Return the actions that a policy of deploy/iam allows, by table: jobs, its indexes, its stream, or the leases."""
    allowed: dict[str, set[str]] = {}
    for statement in json.loads((DEPLOY / "iam" / f"{policy}.json").read_text())["Statement"]:
        resources = statement["Resource"]
        for resource in [resources] if isinstance(resources, str) else resources:
            on = re.sub(r"/index/\w+", "/index", resource)
            allowed.setdefault(on, set()).update(action.removeprefix("dynamodb:") for action in statement["Action"])
    return allowed


def calls_of(*modules: str) -> set[str]:
    """Return the operations of DynamoDB that some modules name, as IAM calls them."""
    texts = [(ROOT / f"{module.replace('.', '/')}.py").read_text() for module in modules]
    named = {
        name for text in texts for name in re.findall(r'"((?:batch|delete|describe|get|put)_[a-z_]+|query|scan)"', text)
    }
    return {"".join(map(str.capitalize, name.split("_"))) for name in named}


LEASES = "${leases_table}"
JOBS = "${jobs_table}"


def test_the_relay_may_call_what_it_calls() -> None:
    assert actions("relay") == {
        f"{JOBS}/stream/*": calls_of("streams.feed.feed"),
        JOBS: {"DescribeTable", "Scan", "BatchGetItem"},  # the latter two to mend a gap
        LEASES: calls_of("streams.feed.leases", "streams.feed.parked"),
    }


def test_the_api_may_call_what_it_calls() -> None:
    called = calls_of("streams.table.table", "streams.table.listing", "streams.table.walk")
    assert actions("api") == {JOBS: called - {"Query", "Scan"}, f"{JOBS}/index": {"Query"}}


def test_the_pipeline_may_write_jobs_and_nothing_else() -> None:
    assert actions("writer") == {JOBS: {"PutItem", "UpdateItem"}}


def test_the_guide_shows_the_policies_that_terraform_makes() -> None:
    shown = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", GUIDE, re.DOTALL)]
    for path in sorted((DEPLOY / "iam").glob("*.json")):
        tables = {"jobs_table": "TABLE", "leases_table": "LEASES"}
        policy = path.read_text()
        for name, there in tables.items():
            policy = policy.replace(f"${{{name}}}", f"arn:aws:dynamodb:REGION:ACCOUNT:table/{there}")
        assert json.loads(policy) in shown, path.name


@by_deployment
def test_pods_have_no_rights_that_they_do_not_need(deployment: dict[str, Any]) -> None:
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert f"USER {pod['securityContext']['runAsUser']}\n" in (ROOT / "Dockerfile").read_text()


@by_deployment
def test_probes_ask_the_port_that_answers(deployment: dict[str, Any]) -> None:
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    (port,) = container["ports"]
    assert port["containerPort"] == PORTS[deployment["metadata"]["name"]]
    annotations = deployment["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == str(port["containerPort"])
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        asked = container[probe]["httpGet"]
        assert asked["port"] == port["name"]
        assert asked["path"] in {"/health/live", "/health/ready"}


@by_deployment
def test_pods_have_time_to_end_what_they_do(deployment: dict[str, Any]) -> None:
    pod = deployment["spec"]["template"]["spec"]
    before = pod["containers"][0].get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    assert pod["terminationGracePeriodSeconds"] - before >= 10  # an end takes a second; machines are busy then


@pytest.mark.parametrize("kind", ["Service", "PodDisruptionBudget", "HorizontalPodAutoscaler"])
def test_what_belongs_to_a_deployment_finds_it(kind: str) -> None:
    labels = {one["metadata"]["name"]: one["spec"]["template"]["metadata"]["labels"] for one in DEPLOYMENTS}
    for one in (manifest for manifest in manifests() if manifest["kind"] == kind):
        selector = one["spec"].get("selector", {})
        if kind == "HorizontalPodAutoscaler":
            assert one["spec"]["scaleTargetRef"]["name"] in labels
        else:
            assert selector.get("matchLabels", selector) == labels[one["metadata"]["name"]]


def test_the_load_balancer_idles_longer_than_a_ping_takes_and_shorter_than_the_api() -> None:
    (idle,) = re.findall(r"idle_timeout\s*= (\d+)", TERRAFORM)
    assert PING_EVERY < int(idle) < KEEP_ALIVE


def test_every_port_is_the_default() -> None:
    assert {
        name: int(port) for name, port in re.findall(r"(\w+)_port\s*= (\d+)\n", TERRAFORM) if name in {"api", "relay"}
    } == {
        "api": Settings().port,
        "relay": Settings().metrics_port,
    }
    assert f"EXPOSE {Settings().port} {Settings().metrics_port}\n" in (ROOT / "Dockerfile").read_text()


def probe(what: str, port: int) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"HEADWAY_PORT": str(free_port()), "HEADWAY_METRICS_PORT": str(port)}
    command = [sys.executable, "-S", str(DEPLOY / "probe.py"), what]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_the_health_check_tells_what_the_process_tells() -> None:
    port = free_port()
    assert probe("live", port).returncode == 1  # nobody is there
    server = metrics.serve("127.0.0.1", port, lambda: "Redis does not answer")
    try:
        assert probe("live", port).returncode == 0
        told = probe("ready", port)
        assert (told.returncode, told.stdout) == (1, "Redis does not answer\n")
    finally:
        server.shutdown()
        server.server_close()
