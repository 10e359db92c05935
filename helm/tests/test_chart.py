"""The chart, rendered by Helm itself and held against the schemas of Kubernetes.

Runs in an environment of its own (`make helm-check`), where Helm is.
"""

import base64
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import helm_python
import kubernetes_validate
import pytest
import yaml

CHART = Path(__file__).parents[1]
GATEWAY = CHART.parent / ".venv" / "bin" / "gateway"
DOCKERFILE = CHART.parent / "Dockerfile"

FORMS = {"default": {}} | {
    path.stem: yaml.safe_load(path.read_text()) for path in sorted((CHART / "examples").glob("*.yaml"))
}

OLDEST, NEWEST = "1.27", "1.37"
"""The versions of Kubernetes that the chart says it works on, up to the newest that can be checked."""

NOT_KUBERNETES = {"PrometheusRule", "ServiceMonitor"}
"""Kinds of the Prometheus operator, which has no schemas here."""

POSTGRESQL = {
    "database": {"kind": "postgresql"},
    "secrets": {
        "GATEWAY_DATABASE_URL": {"existingSecret": "postgresql"},
        "GATEWAY_ENCRYPTION_KEYS": {"existingSecret": "keys"},
        "GATEWAY_REDIS_URL": {"existingSecret": "redis"},
    },
    "sandbox": {"mode": "off"},
}

each_form = pytest.mark.parametrize("form", FORMS)


def manifests(values: dict[str, Any]) -> list[dict[str, Any]]:
    """Everything that an installation would send."""
    with helm_python.Chart.load(CHART) as chart:
        rendered = chart.render(values, name="demo", namespace="apps")
    texts = [text for path, text in rendered.items() if not path.endswith(".txt")]
    return [manifest for text in texts for manifest in yaml.safe_load_all(text) if manifest]


def one(values: dict[str, Any], kind: str, name: str = "demo-funnel-gateway") -> dict[str, Any]:
    """The one manifest of this kind and name."""
    [found] = [each for each in manifests(values) if (each["kind"], each["metadata"]["name"]) == (kind, name)]
    return found


def pods(values: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The name and the pod of everything that runs."""
    for manifest in manifests(values):
        if manifest["kind"] in {"Deployment", "Job"}:
            yield manifest["metadata"]["name"], manifest["spec"]["template"]["spec"]
        elif manifest["kind"] == "Pod":
            yield manifest["metadata"]["name"], manifest["spec"]


def refused(values: dict[str, Any]) -> str:
    """What Helm says to values that can't work."""
    with helm_python.Chart.load(CHART) as chart, pytest.raises(helm_python.HelmValuesError) as caught:
        chart.render(values, name="demo")
    return str(caught.value)


def test_the_forms_are_those_that_are_promised() -> None:
    """The default, and four that people run."""
    assert set(FORMS) == {"default", "small", "production", "sandbox", "oidc"}


@each_form
def test_helm_finds_no_fault(form: str) -> None:
    """`helm lint --strict` has neither an error nor a warning."""
    report = helm_python.lint(CHART, FORMS[form], strict=True)

    assert report["errors"] == []
    assert [found for found in report["messages"] if found["severity"] > 1] == []


@each_form
@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_every_manifest_is_valid(form: str, version: str) -> None:
    """Every field is one that Kubernetes knows, of the right type."""
    for manifest in manifests(FORMS[form]):
        if manifest["kind"] not in NOT_KUBERNETES:
            kubernetes_validate.validate(manifest, version, strict=True)


@each_form
def test_the_gateway_accepts_its_configuration(form: str, tmp_path: Path) -> None:
    """What a pod is given, `gateway check-config` finds right; secrets come as files that exist."""
    secret = {
        "GATEWAY_DATABASE_URL": "postgresql://u:p@db/x",
        "GATEWAY_REDIS_URL": "redis://redis:6379/0",
    }
    pod = one(FORMS[form], "Deployment")["spec"]["template"]["spec"]
    mounted = {
        item["path"]
        for volume in pod["volumes"]
        for source in volume.get("projected", {}).get("sources", [])
        for item in source["secret"]["items"]
    }
    environment = {"PATH": os.environ["PATH"], **one(FORMS[form], "ConfigMap")["data"]}
    for variable in pod["containers"][0]["env"]:
        if variable["name"].endswith("_FILE"):
            name = variable["value"].removeprefix("/run/secrets/gateway/")
            assert name in mounted
            (tmp_path / name).write_text(secret.get(name, "s" * 40))
            environment[variable["name"]] = str(tmp_path / name)

    done = subprocess.run(
        [GATEWAY, "check-config"], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")


@each_form
def test_no_pod_has_more_rights_than_it_needs(form: str) -> None:
    """The restricted pod security standard, a read-only root, no token of the cluster, and bounded memory."""
    for _, pod in pods(FORMS[form]):
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert "memory" in container["resources"]["limits"]


def test_pods_run_as_the_user_of_the_image() -> None:
    """Who owns the files in the image is who runs."""
    context = one({}, "Deployment")["spec"]["template"]["spec"]["securityContext"]

    assert f"USER {context['runAsUser']}:{context['runAsGroup']}\n" in DOCKERFILE.read_text()


@each_form
def test_secrets_stand_in_secrets_alone(form: str) -> None:
    """Not in a ConfigMap, a pod, an annotation or a note."""
    given = [each["value"] for each in FORMS[form].get("secrets", {}).values() if "value" in each]
    elsewhere = yaml.safe_dump_all(each for each in manifests(FORMS[form]) if each["kind"] != "Secret")

    assert [value for value in given if value in elsewhere] == []


def test_secrets_given_by_value_reach_the_pod() -> None:
    """The release's Secret holds them, and the pod mounts it."""
    data = one(FORMS["oidc"], "Secret")["data"]

    assert base64.b64decode(data["GATEWAY_REDIS_URL"]) == b"redis://redis.data:6379/0"
    assert set(data) == set(FORMS["oidc"]["secrets"])


def test_the_migration_runs_before_the_release_and_needs_nothing_of_it() -> None:
    """A hook before the first install finds neither the release's Secret nor its service account."""
    job = one(FORMS["oidc"], "Job", "demo-funnel-gateway-migrate")
    secret = one(FORMS["oidc"], "Secret", "demo-funnel-gateway-migrate")
    pod = job["spec"]["template"]["spec"]

    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    assert int(secret["metadata"]["annotations"]["helm.sh/hook-weight"]) < 0
    assert pod["containers"][0]["args"] == ["migrate"]
    assert "serviceAccountName" not in pod
    assert pod["volumes"][1]["secret"]["secretName"] == secret["metadata"]["name"]
    assert set(secret["data"]) == {"GATEWAY_DATABASE_URL"}


def test_sqlite_is_never_held_by_two_pods() -> None:
    """The old one ends before the new one begins, and the volume outlives the release."""
    spec = one(FORMS["small"], "Deployment")["spec"]
    volume = one(FORMS["small"], "PersistentVolumeClaim")

    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
    assert volume["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert one(FORMS["small"], "ConfigMap")["data"]["GATEWAY_DATABASE_URL"] == "sqlite:////data/gateway.db"


def test_an_upgrade_of_several_replicas_never_has_fewer() -> None:
    """A new replica is ready before an old one goes, and one at a time may be evicted."""
    strategy = one(FORMS["production"], "Deployment")["spec"]["strategy"]

    assert strategy["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    assert one(FORMS["production"], "PodDisruptionBudget")["spec"]["maxUnavailable"] == 1
    assert "replicas" not in one(FORMS["production"], "Deployment")["spec"]


@pytest.mark.parametrize(
    ("settings", "seconds"), [({}, 65), ({"GATEWAY_MONEY_DEADLINE_SECONDS": 90, "GATEWAY_DRAIN_SECONDS": 20}, 135)]
)
def test_a_pod_has_time_to_end_its_requests(settings: dict[str, int], seconds: int) -> None:
    """Draining, the longest deadline, and some."""
    pod = one({"settings": settings}, "Deployment")["spec"]["template"]["spec"]

    assert pod["terminationGracePeriodSeconds"] == seconds


def test_large_numbers_stay_whole() -> None:
    """33554432 is not 3.3554432e+07, which no setting takes."""
    data = one({"settings": {"OTEL_BSP_MAX_QUEUE_SIZE": 33554432}}, "ConfigMap")["data"]

    assert data["OTEL_BSP_MAX_QUEUE_SIZE"] == "33554432"
    assert (data["OTEL_TRACES_SAMPLER"], data["OTEL_TRACES_SAMPLER_ARG"]) == ("traceidratio", "0.1")


def test_services_lead_to_pods() -> None:
    """Each selector matches the labels of exactly one deployment, and the port's name exists there."""
    everything = manifests(FORMS["production"])
    deployments = [each for each in everything if each["kind"] == "Deployment"]

    for service in (each for each in everything if each["kind"] == "Service"):
        wanted = service["spec"]["selector"].items()
        [found] = [each for each in deployments if wanted <= each["spec"]["template"]["metadata"]["labels"].items()]
        [container] = found["spec"]["template"]["spec"]["containers"]
        assert service["spec"]["ports"][0]["targetPort"] in {port["name"] for port in container["ports"]}


def test_only_the_gateway_may_call_the_sandbox() -> None:
    """It lets anyone in who knows a tenant's name."""
    policy = one(FORMS["sandbox"], "NetworkPolicy", "demo-funnel-gateway-sandbox")["spec"]
    labels = one(FORMS["sandbox"], "Deployment")["spec"]["template"]["metadata"]["labels"]

    [[peer]] = [rule["from"] for rule in policy["ingress"]]
    assert peer["podSelector"]["matchLabels"].items() <= labels.items()
    url = one(FORMS["sandbox"], "ConfigMap")["data"]["GATEWAY_SANDBOX"]
    assert url == "http://demo-funnel-gateway-sandbox:8090"


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        pytest.param(
            {"workers": 2},
            "GATEWAY_REDIS_URL: several replicas or workers share limits, cache and revocations through Redis",
            id="workers without Redis",
        ),
        pytest.param(
            {**POSTGRESQL, "replicas": 2, "secrets": {"GATEWAY_DATABASE_URL": {"existingSecret": "postgresql"}}},
            "GATEWAY_REDIS_URL: several replicas or workers share limits, cache and revocations through Redis",
            id="replicas without Redis",
        ),
        pytest.param(
            {**POSTGRESQL, "autoscaling": {"enabled": True}, "sandbox": {"mode": "embedded"}},
            "each of several replicas would have an embedded sandbox of its own",
            id="a sandbox in each replica",
        ),
        pytest.param(
            {"replicas": 2, "secrets": {"GATEWAY_REDIS_URL": {"existingSecret": "redis"}}},
            "postgresql, because SQLite is one file and several replicas must not share it",
            id="replicas on SQLite",
        ),
        pytest.param(
            {"database": {"kind": "postgresql"}},
            "GATEWAY_DATABASE_URL: it says where PostgreSQL is",
            id="PostgreSQL without a URL",
        ),
        pytest.param(
            {**POSTGRESQL, "secrets": {"GATEWAY_DATABASE_URL": {"existingSecret": "postgresql"}}},
            "GATEWAY_ENCRYPTION_KEYS: on PostgreSQL what is kept is encrypted",
            id="PostgreSQL without keys",
        ),
        pytest.param(
            {"settings": {"FUNNELFOX_SECRET_KEY": "sk_live_1"}},
            "moved to `secrets`, because settings stand readable in a ConfigMap",
            id="a secret among the settings",
        ),
        pytest.param({"settings": {"GATEWAY_DEADLINE_SECOND": 5}}, "GATEWAY_DEADLINE_SECOND", id="a mistyped name"),
        pytest.param({"sandbox": {"mode": "external"}}, "/sandbox/url", id="an external sandbox without a URL"),
    ],
)
def test_values_that_can_not_work_are_refused(values: dict[str, Any], sentence: str) -> None:
    """With a sentence that says why, and never the value itself."""
    said = refused(values)

    assert sentence in said
    assert "sk_live_1" not in said


@each_form
def test_the_chart_has_a_test_of_its_own(form: str) -> None:
    """`helm test` asks through the service, as callers do."""
    pod = one(FORMS[form], "Pod", "demo-funnel-gateway-test")

    assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test"
    assert pod["spec"]["containers"][0]["args"][-1] == "http://demo-funnel-gateway:80"


def test_the_test_of_the_chart_passes_on_a_gateway(tmp_path: Path) -> None:
    """The script of the pod, on a real gateway with the settings of the default values."""
    script, _ = one({}, "Pod", "demo-funnel-gateway-test")["spec"]["containers"][0]["args"]
    environment = {"PATH": os.environ["PATH"], **one({}, "ConfigMap")["data"]}
    environment |= {"GATEWAY_DATABASE_URL": f"sqlite:///{tmp_path / 'gateway.db'}", "GATEWAY_DRAIN_SECONDS": "0"}
    command = [GATEWAY, "serve", "--port", "0"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        url = process.stderr.readline().split()[-1]

        done = subprocess.run([sys.executable, "-c", script, url], capture_output=True, text=True, check=False)
        process.terminate()
        _, _ = process.communicate(timeout=60)

    assert (done.returncode, done.stderr) == (0, "")
    assert process.returncode == 0


def test_the_dashboard_and_the_alerts_come_along() -> None:
    """Whole: templates of Prometheus and Grafana within them are none of Helm's."""
    form = {"metrics": {"alerts": {"enabled": True}, "dashboard": {"enabled": True}}}
    docs = CHART.parent / "docs"
    dashboard = one(form, "ConfigMap", "demo-funnel-gateway-dashboard")

    assert dashboard["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert dashboard["data"] == {"demo-funnel-gateway.json": (docs / "grafana" / "dashboard.json").read_text()}
    assert one(form, "PrometheusRule")["spec"] == yaml.safe_load((docs / "prometheus" / "alerts.yaml").read_text())
