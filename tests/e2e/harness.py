# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One release in the lab: an app in a namespace of its own behind the real gateway, its load, and playbooks that walk it."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import kubernetes
import yaml
from kubernetes.dynamic.exceptions import NotFoundError
from labkit import processes

import cluster
from routing import TRAEFIK, Routing

RATE = 100                  # requests per second of open-loop load
PORT = 9898
WALKER = "release"          # the ServiceAccount that walks
REPOSITORY = Path(__file__).resolve().parents[2]
EXAMPLES = REPOSITORY / "examples" / "rbac"
# By spec.provider, how the files with the Roles for a first walk and for every walk end; and what a walk may need besides.
ROLES_OF = {"gatewayapi:v1": "gatewayapi", "contour": "contour", "traefik": "traefik", "kubernetes": "kubernetes"}
FOR_WALKS = ("canary-object", "metric-templates", "alert-providers", "secrets", "preflight")
FOR_SOME = ("configs", "remove", "remove-configs", "watchdog", "revert-on-deletion", "autoscaler", "scaled-object", "take-over")
OF_DEPLOYMENTS = {"deployments", "deployments/scale", "replicasets"}
ROUTES = {"httproutes", "httpproxies", "traefikservices"}
RESOURCES = {       # by kubectl's name for one of them
    "configmap": ("v1", "ConfigMap"), "secret": ("v1", "Secret"), "service": ("v1", "Service"), "event": ("v1", "Event"),
    "deployment": ("apps/v1", "Deployment"), "daemonset": ("apps/v1", "DaemonSet"), "canary": ("flagger.app/v1beta1", "Canary"),
    "horizontalpodautoscaler": ("autoscaling/v2", "HorizontalPodAutoscaler"), "poddisruptionbudget": ("policy/v1", "PodDisruptionBudget"),
    "httproute": ("gateway.networking.k8s.io/v1", "HTTPRoute"), "httpproxy": ("projectcontour.io/v1", "HTTPProxy"),
    "autoscaler": ("autoscaling/v2", "HorizontalPodAutoscaler"),
    "traefikservice": ("traefik.io/v1alpha1", "TraefikService"), "scaledobject": ("keda.sh/v1alpha1", "ScaledObject"),
}


def _of_other_kind(roles: list[dict[str, Any]]) -> None:
    """As the examples say what to change for a target that is no Deployment; what it needs in its place are Roles of their own."""
    for role in roles:
        role["rules"] = [rule for rule in role["rules"] if not OF_DEPLOYMENTS.intersection(rule["resources"])]


def _adopt(roles: list[dict[str, Any]], route: str) -> None:
    """As the examples say what to change for canary_route: adopted."""
    initialise, walk = roles
    initialise["rules"] = [rule for rule in initialise["rules"] if not ROUTES.intersection(rule["resources"])]
    for rule in walk["rules"]:
        if ROUTES.intersection(rule["resources"]):
            rule["resourceNames"] = [route]


@functools.cache
def api(resource: str) -> kubernetes.dynamic.Resource:
    version, kind = RESOURCES[resource]
    return kubernetes.dynamic.DynamicClient(kubernetes.config.new_client_from_config()).resources.get(api_version=version, kind=kind)


def wait_for(what: str, condition: Callable[[], Any], seconds: float = 60.0) -> Any:
    """The first true value of ``condition``; fails with ``what`` after the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s in vain for: {what}")
        time.sleep(0.1)


@dataclass
class Walk:
    """A running or finished ansible-playbook."""

    process: subprocess.Popen
    log: Path
    started: float = field(default_factory=time.time)

    def wait(self, seconds: float = 240.0) -> Walk:
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the playbook did not end in {seconds} s:\n{self.output[-4000:]}") from None
        return self

    def kill(self) -> None:
        """SIGKILL to the whole process group, as a job runner does it; a worker of Ansible's, which leads a group of its own, may outlive it."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(30)

    def kill_all(self) -> None:
        """SIGKILL to it and to its workers, as the end of a container or of a node does it."""
        processes.kill_all(self.process.pid)
        self.process.wait(30)

    @property
    def rc(self) -> int:
        return self.process.returncode

    @property
    def output(self) -> str:
        return self.log.read_text(errors="replace")

    @property
    def results(self) -> dict[str, dict[str, Any]]:
        """``canary_results`` among the statistics of the run, by namespace/name."""
        found = re.search(r"^\tRUN: (\{.*\})$", self.output, re.MULTILINE)
        assert found, f"the run left no statistics:\n{self.output[-4000:]}"
        return json.loads(found[1])["canary_results"]

    @property
    def result(self) -> dict[str, Any]:
        """The one entry of ``canary_results``."""
        (result,) = self.results.values()
        return result

    @property
    def recap(self) -> dict[str, int]:
        """The numbers of the play's recap: ok, changed, failed ..."""
        found = re.findall(r"(\w+)=(\d+)", self.output.rpartition("PLAY RECAP")[2])
        return {key: int(value) for key, value in found}

    def told(self) -> list[str]:
        """What the lines for people say, in order, without time, phase and weight."""
        found = re.findall(r"^\[\S+\] \S+: \d\d:\d\d:\d\d [^|]*\| (.*)$", self.output, re.MULTILINE)
        return [text.partition(" | next in")[0] for text in found]

    def lines(self, text: str) -> list[str]:
        return [line for line in self.output.splitlines() if text in line]


@dataclass
class Load:
    """Open-loop load on the gateway; ``stop`` gives the generator's own account."""

    process: subprocess.Popen
    out: Path

    def stop(self) -> dict[str, Any]:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(20)
        return json.loads(self.out.read_text())


class Receiver(ThreadingHTTPServer):
    """A webhook's far end that lets everything pass, unless ``status`` says otherwise, and counts who asked."""

    def __init__(self, on_ask: Callable[[], Any] = lambda: None) -> None:
        self.asked: list[dict[str, Any]] = []
        self.status = 200
        self.says: Callable[[BaseHTTPRequestHandler], bytes] = lambda request: NOTED
        self.statuses: dict[str, int] = {}          # by the type that a hook's metadata name, where one is to be answered differently
        self.on_ask = on_ask                        # what it does about it before it answers
        super().__init__(("127.0.0.1", 0), _Receive)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"

    def status_for(self, body: dict[str, Any]) -> int:
        """The status that this request is answered with."""
        return self.statuses.get(body.get("metadata", {}).get("type", ""), self.status)


NOTED = b"noted by the test"


class _Receive(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append(body)
        self.server.on_ask()
        self.send_response(self.server.status_for(body))
        text = self.server.says(self)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *arguments: Any) -> None:
        """Keep the test's output for what matters."""


class RouteWatch(threading.Thread):
    """Every weight that the routing object ever had, in order, with the time it was seen (by a real watch)."""

    def __init__(self, release: Release) -> None:
        super().__init__(daemon=True)
        self.routing = release.routing
        self.seen: list[tuple[float, int, int]] = []
        self.accepted: dict[int, float] = {}        # canary weight -> when it was last seen accepted for the object's generation
        self.process = subprocess.Popen(
            ["kubectl", "-n", release.namespace, "get", self.routing.resource, f"--field-selector=metadata.name={release.name}", "--watch", "-o", "json"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.start()

    def run(self) -> None:
        decoder, text = json.JSONDecoder(), ""
        for line in self.process.stdout:
            text += line
            if line.rstrip() != "}":
                continue
            body, _end = decoder.raw_decode(text.lstrip())
            text = ""
            weights = self.routing.weights(body)
            primary = next((weight for name, weight in weights.items() if name.endswith("-primary")), 0)
            canary = next((weight for name, weight in weights.items() if name.endswith("-canary")), 0)
            if not self.seen or self.seen[-1][1:] != (primary, canary):
                self.seen.append((time.time(), primary, canary))
                self.accepted.pop(canary, None)
            if self.routing.settled(body):
                self.accepted.setdefault(canary, time.time())

    def canary_weights(self) -> list[int]:
        return [canary for _when, _primary, canary in self.seen]

    def stop(self) -> list[int]:
        self.process.terminate()
        self.process.wait(10)
        return self.canary_weights()


@dataclass
class Release:
    """An app, its canary document and everything that is done to it."""

    namespace: str
    folder: Path
    image: str = "lab.local/testapp:1"
    replicas: int = 2
    name: str = "podinfo"
    kind: str = "Deployment"    # of the target
    routing: Routing = TRAEFIK
    cpu: str = ""               # that a pod requests, where something measures by it
    rich: bool = False          # whether the app has a ConfigMap and a PodDisruptionBudget besides
    scraped: bool = True        # whether Prometheus reads the metrics of the app itself
    unready_after: int = 1      # probes of a pod, one a second, that fail in a row
    patience: int = 60          # seconds that the app, or one kubectl, may take
    on_cleanup: list[Callable[[], Any]] = field(default_factory=list)
    _walks: int = 0

    @property
    def host(self) -> str:
        return f"{self.namespace}.example.com"

    # -- Kubernetes --

    def kubectl(self, *arguments: str, stdin: str | None = None, check: bool = True) -> str:
        done = subprocess.run(["kubectl", "-n", self.namespace, *arguments], input=stdin, capture_output=True, text=True, timeout=self.patience + 5,
                              check=False)
        assert not check or done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def get(self, resource: str, name: str) -> dict[str, Any]:
        """The object, ``{}`` where there is none; not by kubectl, whose start costs more than all that is asked while something is waited for."""
        try:
            return api(resource).get(name, self.namespace).to_dict()
        except NotFoundError:
            return {}

    def owned(self, resource: str) -> list[dict[str, Any]]:
        """The objects of a kind that the collection made for the canary."""
        found = api(resource).get(namespace=self.namespace, label_selector=f"progressive.delivery/canary={self.name}")
        return [one.to_dict() for one in found.items]

    def apply(self, *documents: dict[str, Any]) -> None:
        self.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(documents))

    def deployment(self, image: str | None = None, **environment: str) -> dict[str, Any]:
        labels = {"app": self.name}
        container = {
            "name": "app", "image": cluster.image(image or self.image, list(environment)), "imagePullPolicy": cluster.pull_policy(),
            "ports": [{"name": "http", "containerPort": PORT}],
            "env": [{"name": key, "value": value} for key, value in environment.items()],
            "readinessProbe": {"httpGet": {"path": "/readyz", "port": PORT}, "periodSeconds": 1, "failureThreshold": self.unready_after},
        }
        if self.cpu:
            container["resources"] = {"requests": {"cpu": self.cpu}}
        annotations = {"prometheus.io/scrape": str(self.scraped).lower(), "prometheus.io/port": str(PORT)}
        numbered: dict[str, Any] = {"replicas": self.replicas}
        if self.kind == "DaemonSet":
            # The lab has one node: with none to spare, nobody would answer while a pod is replaced.
            numbered = {"updateStrategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}}
        pods: dict[str, Any] = {"containers": [container]}
        if self.rich:
            pods["volumes"] = [{"name": "settings", "configMap": {"name": self.name}}]
        return {
            "apiVersion": "apps/v1", "kind": self.kind, "metadata": {"name": self.name, "namespace": self.namespace, "labels": labels},
            "spec": {**numbered, "selector": {"matchLabels": labels},
                     "template": {"metadata": {"labels": labels, "annotations": annotations}, "spec": pods}},
        }

    def beside(self) -> list[dict[str, Any]]:
        """What the user has beside the app."""
        if not self.rich:
            return []
        metadata = {"name": self.name, "namespace": self.namespace}
        return [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"color": "blue"}},
                {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": metadata,
                 "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app": self.name}}}}]

    def start_app(self, walked: bool = True, **environment: str) -> None:
        """Without a walker, where Flagger walks it."""
        self.kubectl("create", "namespace", self.namespace)
        if walked:
            self.make_walker()
        self.apply(*self.beside(), self.deployment(**environment), *self.routing.root(self.namespace, self.name, self.host))
        self.kubectl("rollout", "status", f"{self.kind.lower()}/{self.name}", f"--timeout={self.patience}s")

    def make_walker(self) -> None:
        """A ServiceAccount with the Roles of the examples and nothing else: every playbook of a test runs as it, never as an admin."""
        self.kubectl("create", "serviceaccount", WALKER)
        self.let_walk()
        config = cluster.admin()
        token = self.kubectl("create", "token", WALKER, "--duration=3h").strip()
        config["users"] = [{"name": config["contexts"][0]["context"]["user"], "user": {"token": token}}]
        config["current-context"] = config["contexts"][0]["name"]
        self.kubeconfig.write_text(json.dumps(config))

    def let_walk(self, provider: str = "", route: str = "") -> None:
        """The Roles of this canary, those that walks need bound to the walker; ``route`` is the name of an adopted one, which nobody may make."""
        of_provider = self.roles(ROLES_OF[provider or self.routing.provider])
        if route:
            _adopt(of_provider, route)
        of_kind, for_some = self.roles(self.kind.lower()), [role for file in FOR_SOME for role in self.roles(file)]
        if self.kind != "Deployment":
            _of_other_kind([*of_provider, *for_some])
        for_some += [role for role in of_kind if role["metadata"]["name"].startswith(f"{self.name}-remove")]
        of_kind = [role for role in of_kind if role not in for_some]
        walks = [*of_provider, *of_kind, *(role for file in FOR_WALKS for role in self.roles(file))]
        self.apply(*walks, *for_some, *(self._bound(role["metadata"]["name"]) for role in walks))

    def roles(self, file: str) -> list[dict[str, Any]]:
        """The Role of one file of the examples, for this canary; of a provider two, to initialise and to walk."""
        paths = sorted(EXAMPLES.glob(f"{file}.yml")) or sorted(EXAMPLES.glob(f"*-{file}.yml"))
        return [yaml.safe_load(path.read_text().replace("podinfo", self.name)) for path in paths]

    def _bound(self, role: str) -> dict[str, Any]:
        group = "rbac.authorization.k8s.io"
        return {"apiVersion": f"{group}/v1", "kind": "RoleBinding", "metadata": {"name": role}, "roleRef": {"apiGroup": group, "kind": "Role", "name": role},
                "subjects": [{"kind": "ServiceAccount", "name": WALKER, "namespace": self.namespace}]}

    def allow(self, role: str) -> None:
        """What only some playbooks need."""
        self.apply(self._bound(role))

    def forbid(self, role: str) -> None:
        self.kubectl("delete", "rolebinding", role)

    @property
    def kubeconfig(self) -> Path:
        return self.folder / "kubeconfig"

    def writes(self, since: float) -> list[str]:
        """What the walker wrote since then, as ``verb resource name``."""
        return [f"{entry['verb']} {entry['objectRef']['resource']} {entry['objectRef'].get('name', '')}" for entry in self.requests(since)
                if entry["verb"] not in ("get", "list", "watch")]

    def requests(self, since: float) -> list[dict[str, Any]]:
        """What the walker asked of the API server, from its audit log; access reviews look like writes and are none."""
        user = f"system:serviceaccount:{self.namespace}:{WALKER}"
        found = [json.loads(line) for line in cluster.audit_log().read_text().splitlines() if user in line]
        return [entry for entry in found if entry["user"]["username"] == user and datetime.fromisoformat(entry["requestReceivedTimestamp"]).timestamp() >= since
                and "accessreviews" not in entry["requestURI"] and "rulesreviews" not in entry["requestURI"]]

    def set_template(self, image: str, **environment: str) -> None:
        """A new revision of the app, as a user would apply it: the template alone, not the replicas."""
        container = self.deployment(image, **environment)["spec"]["template"]["spec"]["containers"][0]
        patch = [{"op": "replace", "path": "/spec/template/spec/containers/0", "value": container}]
        self.kubectl("patch", self.kind.lower(), self.name, "--type=json", "-p", json.dumps(patch))

    # -- the canary --

    def document(self, **changes: Any) -> dict[str, Any]:
        """The canary's document; keyword arguments replace or add fields of ``analysis``, ``spec__x`` those of ``spec``."""
        analysis: dict[str, Any] = {
            "interval": "3s", "threshold": 2, "maxWeight": 50, "stepWeight": 10,
            "metrics": [
                {"name": "request-success-rate", "interval": "1m", "thresholdRange": {"min": 99}},
                {"name": "request-duration", "interval": "1m", "thresholdRange": {"max": 500}},
            ],
        }
        spec: dict[str, Any] = {
            "provider": self.routing.provider, "metricsServer": os.environ["PROMETHEUS_URL"], "progressDeadlineSeconds": 60,
            "targetRef": {"apiVersion": "apps/v1", "kind": self.kind, "name": self.name},
            "service": {"port": 80, "targetPort": PORT, **self.routing.service(self.host)},
            "analysis": analysis,
        }
        for key, value in changes.items():
            place, field_name = (spec, key[6:]) if key.startswith("spec__") else (analysis, key)
            if value is None:
                place.pop(field_name, None)
            else:
                place[field_name] = value
        return {"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "metadata": {"name": self.name, "namespace": self.namespace}, "spec": spec}

    def write_document(self, **changes: Any) -> Path:
        path = self.folder / "canary.yml"
        path.write_text(yaml.safe_dump(self.document(**changes)))
        return path

    def playbook(self, playbook: str = "canary", *arguments: str, environment: dict[str, str] | None = None, **variables: Any) -> Walk:
        """Start a playbook of the collection; without a document of its own the canary's file is used."""
        self._walks += 1
        given = {"canary_name": self.name, "canary_namespace": self.namespace, **variables}
        if playbook == "canary":
            given = {"canary_file": str(self.folder / "canary.yml"), "canary_min_interval": 1, "canary_settle": 1, "canary_drain": 2, **given}
        extra = self.folder / f"vars-{self._walks}.json"
        extra.write_text(json.dumps({key: value for key, value in given.items() if value is not None}))
        log = self.folder / f"{playbook}-{self._walks}.log"
        settings = {"KUBECONFIG": str(self.kubeconfig), "ANSIBLE_LOCALHOST_WARNING": "False", "ANSIBLE_NOCOLOR": "1",
                    "ANSIBLE_SHOW_CUSTOM_STATS": "1", "PYTHONUNBUFFERED": "1"}
        with log.open("w") as out:
            process = subprocess.Popen(
                ["ansible-playbook", f"progressive.delivery.{playbook}", "-e", f"@{extra}", *arguments],
                stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True,
                env={**os.environ, **settings, **(environment or {})},
                cwd=self.folder)
        walk = Walk(process, log)
        self.on_cleanup.append(lambda: walk.kill() if process.poll() is None else None)
        return walk

    def walk(self, **variables: Any) -> Walk:
        return self.playbook("canary", **variables)

    def initialise(self, **changes: Any) -> None:
        """The first run: the primary is made and takes over. Whoever walks afterwards may not create anything any more."""
        self.write_document(**changes)
        walk = self.walk().wait()
        assert walk.rc == 0, walk.output[-4000:]
        assert self.record()["status"]["phase"] == "Initialized", walk.output[-4000:]
        self.forbid(f"{self.name}-initialise")
        for role in self.roles(self.kind.lower()):
            if role["metadata"]["name"].startswith(f"{self.name}-initialise"):
                self.forbid(role["metadata"]["name"])

    def record(self) -> dict[str, Any]:
        body = self.get("configmap", f"{self.name}-canary")
        return json.loads(body["data"]["record"]) if body else {"status": {"phase": "", "canaryWeight": 0}, "walk": {}}

    def phase(self) -> str:
        return self.record()["status"]["phase"]

    def weight(self) -> int:
        return self.record()["status"]["canaryWeight"]

    def live_weight(self) -> int:
        """The canary's weight on the HTTPRoute, whatever the record says."""
        return self.routing.weights(self.get("httproute", self.name))[f"{self.name}-canary"]

    def set_weight(self, weight: int) -> None:
        """The weights of the HTTPRoute by a person's hand."""
        backends = self.get("httproute", self.name)["spec"]["rules"][0]["backendRefs"]
        canary = f"{self.name}-canary"
        steps = [{"op": "replace", "path": f"/spec/rules/0/backendRefs/{index}/weight", "value": weight if one["name"] == canary else 100 - weight}
                 for index, one in enumerate(backends)]
        self.kubectl("patch", "httproute", self.name, "--type=json", "-p", json.dumps(steps))

    def primary_template(self) -> dict[str, Any]:
        return self.get(self.kind.lower(), f"{self.name}-primary")["spec"]["template"]

    def images(self) -> dict[str, str]:
        found = {name: self.get(self.kind.lower(), name)["spec"]["template"]["spec"]["containers"][0] for name in (self.name, f"{self.name}-primary")}
        return {name: cluster.known_as(container["image"]) for name, container in found.items()}

    # -- traffic --

    def lost(self, counted: dict[str, Any]) -> list[dict[str, Any]]:
        """The failed requests, those apart that a restart of the primary's pods explains behind Envoy.

        A pod that stops closes the connections that Envoy keeps to it; a request that is just being sent on one of them is answered 503, since
        neither an HTTPProxy nor a route asks Envoy to repeat it. It is so in every rolling restart there, whoever asks for it.
        """
        assert counted["failed"] == len(counted["failures"]), f"{counted['failed']} failed requests, such as {counted['failures'][:3]}"
        # Envoy's own words; no other gateway answers so.
        cut = [one for one in counted["failures"] if one.get("status") == 503 and "connection termination" in one["detail"]]
        stopped = self._stopped(f"{self.name}-primary-") if cut else []
        return [one for one in counted["failures"] if one not in cut or not any(-1 <= one["t"] - at <= 6 for at in stopped)]

    def _stopped(self, beginning: str) -> list[float]:
        """When pods were told to stop, as the kubelet's Events tell it."""
        events = json.loads(self.kubectl("get", "events", "--field-selector", "reason=Killing,involvedObject.kind=Pod", "-o", "json"))["items"]
        return [datetime.fromisoformat(one["lastTimestamp"]).timestamp() for one in events if one["involvedObject"]["name"].startswith(beginning)]

    def load(self, rate: int = RATE, *arguments: str) -> Load:
        out = self.folder / f"load-{time.monotonic_ns()}.json"
        process = subprocess.Popen(
            [*cluster.load_generator(arguments), "--url", self.routing.url + "/", "--host", self.host, "--rate", str(rate), "--duration", "900s",
             "--out", str(out), *arguments],
            stdout=subprocess.DEVNULL, stderr=sys.stderr, start_new_session=True)
        load = Load(process, out)
        self.on_cleanup.append(lambda: process.poll() is None and process.kill())
        return load

    def watch_route(self) -> RouteWatch:
        watch = RouteWatch(self)
        self.on_cleanup.append(watch.process.kill)
        return watch

    def tallies(self, label: str) -> list[dict[str, Any]]:
        """What each pod with this ``app`` label counted of users' requests, copies included, by its own word (``GET /__requests``)."""
        pods = self.kubectl("get", "pods", "-l", f"app={label}", "-o", "name").split()
        assert pods, f"no pod has the label app={label} any more"
        path = f"/api/v1/namespaces/{self.namespace}/pods/{{}}:{PORT}/proxy/__requests"
        return [json.loads(self.kubectl("get", "--raw", path.format(pod.removeprefix("pod/")))) for pod in pods]

    def last_request(self, label: str) -> float:
        """When the newest request reached any of the pods with this ``app`` label, counted at the pods themselves (Unix seconds)."""
        return max(tally["last_unix"] for tally in self.tallies(label))

    # -- Flagger --

    def start_flagger(self, *flags: str, kubeconfig: str = "") -> None:
        """Flagger's own controller, for this namespace alone and as an admin; FLAGGER names the program."""
        whose = kubeconfig or os.environ["KUBECONFIG"]
        with (self.folder / "flagger.log").open("w") as log:
            process = subprocess.Popen(
                [os.environ["FLAGGER"], f"-kubeconfig={whose}", f"-namespace={self.namespace}", "-port=0", "-log-level=info", *flags],
                stdout=log, stderr=subprocess.STDOUT)
        self.on_cleanup.append(process.kill)

    def cleanup(self) -> None:
        for action in reversed(self.on_cleanup):
            action()
        self.kubectl("delete", "namespace", self.namespace, "--wait=false", "--ignore-not-found", check=False)
