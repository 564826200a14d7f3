"""The Kubernetes resources: valid by the schemas, in step with what lowtide prints, and locked down."""

import copy
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from lowtide.alerting.rules import render
from lowtide.alerting.settings import defaults

from tests.conftest import needs

FOLDER = Path("deploy/kubernetes")
SCHEMAS = Path(".cache/kubernetes")
UNPACKED = ".cache/kubectl/root/usr/bin"
OPERATOR = "monitoring.coreos.com"


def load(name):
    return yaml.safe_load((FOLDER / f"{name}.yaml").read_text())


@pytest.fixture(scope="module")
def built():
    """Build what ``kubectl apply -k`` would apply."""
    kubectl = needs(
        "kubectl", "sh tests/parts.sh gets it on Debian, or kubernetes.io/docs/tasks/tools", UNPACKED
    )
    done = subprocess.run([kubectl, "kustomize", str(FOLDER)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


@pytest.fixture(scope="module")
def pod():
    return load("deployment")["spec"]["template"]


@pytest.fixture(scope="module")
def operator_says():
    """Give the complaints of the operator's schemas about resources."""
    node = needs("node", "apt-get install nodejs")
    if not (SCHEMAS / "node_modules/@kubernetes-models/prometheus-operator").exists():
        message = f"no schemas of Prometheus' operator in {SCHEMAS}: sh tests/parts.sh gets them, with npm"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(message)

    def ask(*resources):
        done = subprocess.run(
            [node, "tests/kubernetes/validate.mjs", str(SCHEMAS)],
            input=json.dumps(resources),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stderr == ""
        return done.stdout

    return ask


def kubernetes_says(folder, *resources):
    """Return the complaints of Kubernetes' own schemas about resources."""
    path = folder / "resources.yaml"
    path.write_text(yaml.safe_dump_all(resources))
    command = [sys.executable, "-m", "kubernetes_validate", "--strict", "--no-warn", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr if done.returncode else ""


def test_what_kubernetes_knows_is_valid_by_its_schemas(built, tmp_path):
    ours = [each for each in built if OPERATOR not in each["apiVersion"]]
    assert {each["kind"] for each in ours} == {"Namespace", "Deployment", "ConfigMap"}
    assert kubernetes_says(tmp_path, *ours) == ""


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("spec", "replicas"), "two"),
        (("spec", "template", "spec", "containers", 0, "readinesProbe"), {}),
        (("spec", "template", "spec", "containers", 0, "ports", 0, "containerPort"), "http"),
    ],
)
def test_a_fault_in_the_deployment_would_be_found(tmp_path, path, value):
    broken = copy.deepcopy(load("deployment"))
    place = broken
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    assert kubernetes_says(tmp_path, broken)


def test_what_the_operator_knows_is_valid_by_its_schemas(built, operator_says):
    theirs = [each for each in built if OPERATOR in each["apiVersion"]]
    assert {each["kind"] for each in theirs} == {"PodMonitor", "PrometheusRule"}
    assert operator_says(*theirs) == ""


def test_a_fault_in_the_operators_resources_would_be_found(operator_says):
    monitor, rule = load("podmonitor"), load("prometheusrule")
    monitor["spec"]["podMetricsEndpoints"][0]["interval"] = "often"
    rule["spec"]["groups"][0]["rules"][0]["expr"] = ["up"]
    complaints = operator_says(monitor, rule)
    assert "PodMonitor lowtide: data/spec/podMetricsEndpoints/0/interval must match pattern" in complaints
    assert "PrometheusRule lowtide: data/spec/groups/0/rules/0/expr must" in complaints


def test_the_rules_are_those_that_lowtide_prints():
    assert (FOLDER / "prometheusrule.yaml").read_text() == render(defaults(), kubernetes=True), (
        "make generate"
    )


def test_promtool_accepts_the_rules(promtool, tmp_path):
    path = tmp_path / "spec.yml"
    path.write_text(yaml.safe_dump(load("prometheusrule")["spec"]))
    done = subprocess.run(
        [promtool, "check", "rules", str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_dashboards_are_a_config_map_that_an_apply_can_carry(built):
    (found,) = [each for each in built if each["kind"] == "ConfigMap"]
    assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
    for name, text in found["data"].items():
        assert json.loads(text) == json.loads((Path("dashboards") / name).read_text())
    # kubectl apply keeps a copy in an annotation, and those hold 256 KiB.
    assert len(json.dumps(found)) < 256 * 1024


def test_everything_is_in_one_namespace_that_wants_restricted_pods(built):
    namespace = load("namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    others = [each for each in built if each["kind"] != "Namespace"]
    assert {each["metadata"]["namespace"] for each in others} == {namespace["metadata"]["name"]}


def test_the_pod_is_restricted(pod):
    """Check the controls of https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted."""
    spec, (container,) = pod["spec"], pod["spec"]["containers"]
    for forbidden in ("hostNetwork", "hostPID", "hostIPC", "volumes"):
        assert forbidden not in spec
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] != 0
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    context = container["securityContext"]
    assert context == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert "hostPort" not in container["ports"][0]
    assert {"requests", "limits"} <= set(container["resources"])


def test_the_user_is_that_of_the_image(pod):
    context = pod["spec"]["securityContext"]
    assert f"USER {context['runAsUser']}:{context['runAsGroup']}\n" in Path("Dockerfile").read_text()


def test_every_probe_asks_the_port_by_its_name_on_a_path_that_is_served(pod):
    (container,) = pod["spec"]["containers"]
    probes = [container[f"{kind}Probe"]["httpGet"] for kind in ("startup", "readiness", "liveness")]
    assert {probe["port"] for probe in probes} == {container["ports"][0]["name"]}
    assert [probe["path"] for probe in probes] == ["/-/ready", "/-/ready", "/-/healthy"]


def test_the_version_is_the_label_of_the_pod(pod):
    (container,) = pod["spec"]["containers"]
    fields = {each["name"]: each["valueFrom"].get("fieldRef") for each in container["env"]}
    assert fields["LOWTIDE_VERSION"] == {"fieldPath": "metadata.labels['app.kubernetes.io/version']"}
    assert fields["LOWTIDE_SERVICE"] == {"fieldPath": "metadata.labels['app.kubernetes.io/name']"}
    assert {"app.kubernetes.io/version", "app.kubernetes.io/name"} <= set(pod["metadata"]["labels"])


def test_the_pod_monitor_finds_the_pod_and_its_port(pod):
    monitor = load("podmonitor")["spec"]
    assert monitor["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    assert monitor["jobLabel"] in pod["metadata"]["labels"]
    ports = {port["name"] for port in pod["spec"]["containers"][0]["ports"]}
    assert {endpoint["port"] for endpoint in monitor["podMetricsEndpoints"]} <= ports
