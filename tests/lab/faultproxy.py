# Copyright (c) 2026 The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A proxy in front of an API server that holds, refuses, cuts or kills on command: ``faultproxy.py --kubeconfig FILE --folder DIR``.

It writes ``DIR/kubeconfig`` (the given one, pointed at the proxy) and ``DIR/requests.jsonl``, prints one line of JSON with its addresses when it is ready,
and runs until it is told to end. Run it inside the lab's network namespace. README.md beside it has the rules.

It speaks TLS with the certificate of the lab's API server, since kubectl and its kin give no token to a server without TLS. In front of any other server
(``--upstream URL`` in place of ``--kubeconfig``: a Prometheus, a receiver of webhooks) it speaks HTTP, and there is no kubeconfig.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import signal
import ssl
import threading
from pathlib import Path

from labkit.faults import ACTIONS, RuleBook
from labkit.faultserver import ControlServer, Journal, ProxyServer
from labkit.pki import token_of, write_kubeconfig

HOST = "127.0.0.1"


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    options = _options()
    options.folder.mkdir(parents=True, exist_ok=True)
    server, authority = (options.upstream, None) if options.upstream else cluster_of(options.kubeconfig, options.folder)
    plain = options.plain or bool(options.upstream)
    book, journal = RuleBook(), Journal(options.folder / "requests.jsonl", options.bodies)
    proxy = ProxyServer((HOST, options.port), server, authority, book, journal)
    control = ControlServer((HOST, options.control_port), book, journal)
    if not plain:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options.certificates / "apiserver.crt", options.certificates / "apiserver.key")
        proxy.socket = context.wrap_socket(proxy.socket, server_side=True, do_handshake_on_connect=False)
    url = f"{'http' if plain else 'https'}://{HOST}:{proxy.server_address[1]}"
    address = {"url": url, "control": f"http://{HOST}:{control.server_address[1]}", "pid": os.getpid()}
    if options.kubeconfig:
        kubeconfig = options.folder / "kubeconfig"
        write_kubeconfig(kubeconfig, url, token_of(options.kubeconfig), None if plain else options.certificates / "ca.crt")
        address["kubeconfig"] = str(kubeconfig)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_ignored: ended.set())
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    threading.Thread(target=control.serve_forever, daemon=True).start()
    print(json.dumps(address), flush=True)
    ended.wait()


def cluster_of(kubeconfig: Path, folder: Path) -> tuple[str, Path | None]:
    """The server of a JSON kubeconfig and the file with its authority; one that is given inline is written to ``folder``."""
    cluster = json.loads(kubeconfig.read_text(encoding="utf-8"))["clusters"][0]["cluster"]
    if "certificate-authority-data" in cluster:
        authority = folder / "upstream-ca.crt"
        authority.write_bytes(base64.b64decode(cluster["certificate-authority-data"]))
        return cluster["server"], authority
    return cluster["server"], Path(cluster["certificate-authority"]) if "certificate-authority" in cluster else None


def _options() -> argparse.Namespace:
    actions = "; ".join(f"{name}: {text}" for name, text in ACTIONS.items())
    parser = argparse.ArgumentParser(description="A proxy in front of a server, with faults on command.", epilog=f"Actions of rules: {actions}.")
    behind = parser.add_mutually_exclusive_group(required=True)
    behind.add_argument("--kubeconfig", type=Path, help="JSON kubeconfig with a token: whom to forward to and as whom")
    behind.add_argument("--upstream", metavar="URL", help="http://HOST:PORT of any other server to forward to")
    parser.add_argument("--folder", type=Path, required=True, help="where the proxy's own kubeconfig and its log go")
    parser.add_argument("--port", type=int, default=0, help="port of the proxy, by default a free one")
    parser.add_argument("--control-port", type=int, default=0, help="port for rules, by default a free one")
    parser.add_argument("--certificates", type=Path, default=Path(os.environ.get("LAB_DIR", ".")) / "pki",
                        help="folder with apiserver.crt, apiserver.key and ca.crt; default: $LAB_DIR/pki")
    parser.add_argument("--plain", action="store_true", help="speak HTTP without TLS")
    parser.add_argument("--bodies", action="store_true", help="log request bodies too")
    return parser.parse_args()


if __name__ == "__main__":
    main()
