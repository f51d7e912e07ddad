"""A hub on loopback: speaks the part of huggingface.co's HTTP interface that a download uses, and misbehaves
on request.

Large files are redirected to another host name, as the hub's are to its storage. Every request is remembered.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

PIECE = 1 << 14
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Request:
    """One request as it came."""

    method: str
    path: str
    host: str
    range: str | None
    authorization: str | None


@dataclass
class Hub:
    """What the hub holds and how it behaves.

    ``repos`` are name to file to bytes; files ending in .safetensors are large. ``faults``
    are taken one a request that fits: (part of the path, kind, argument).
    """

    repos: dict[str, dict[str, bytes]]
    faults: list[tuple[str, str, float]] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    url: str = ""

    def fault(self, path: str) -> tuple[str, float]:
        """The next fault for the path, used up by that; ("", 0) where there is none."""
        for at, (part, kind, argument) in enumerate(self.faults):
            if part in path:
                del self.faults[at]
                return kind, argument
        return "", 0.0

    def count(self, part: str) -> int:
        """How many requests had ``part`` in their path."""
        return sum(part in request.path for request in self.requests)


def large(name: str) -> bool:
    return name.endswith(".safetensors")


def digest(name: str, data: bytes) -> str:
    """By which the hub names a file: SHA-256, or git's SHA-1 of a blob."""
    if large(name):
        return hashlib.sha256(data).hexdigest()
    return hashlib.sha1(f"blob {len(data)}\0".encode() + data).hexdigest()


@contextmanager
def hub(repos: dict[str, dict[str, bytes]]) -> Iterator[Hub]:
    """A running hub with these repositories."""
    state = Hub(repos)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self._answer()

        def do_GET(self) -> None:
            self._answer()

        def _answer(self) -> None:
            path = unquote(urlsplit(self.path).path)
            got = self.headers.get
            state.requests.append(
                Request(self.command, path, got("Host", ""), got("Range"), got("Authorization"))
            )
            kind, argument = state.fault(path)
            if kind == "status":
                self._refuse(int(argument))
            elif kind == "gated":
                self._refuse(401, "GatedRepo")
            elif kind == "page":  # what a portal or a proxy puts in the way
                self._head(200, 15, {"Content-Type": "text/html"})
                self.wfile.write(b"<html>Log in:\r\n")
            elif kind == "silent":
                time.sleep(argument)
                self.close_connection = True
            elif path.startswith("/api/models/"):
                self._info(path.removeprefix("/api/models/").partition("/revision/")[0])
            elif path.startswith("/cdn/"):
                _, _, repo, name = path.split("/", 3)
                self._file(state.repos[repo.replace("--", "/")][name], name, kind, argument)
            else:
                repo, _, rest = path[1:].partition("/resolve/")
                name = rest.partition("/")[2]
                files = state.repos.get(repo, {})
                if name not in files:
                    self._refuse(404, "EntryNotFound" if files else "RepoNotFound")
                elif large(name):
                    self._redirect(repo, name, files[name])
                else:
                    self._file(files[name], name, kind, argument)

        def _info(self, repo: str) -> None:
            if repo not in state.repos:
                self._refuse(401, "RepoNotFound")  # the hub does not tell missing from private
                return
            siblings = []
            for name, data in state.repos[repo].items():
                item = {"rfilename": name, "size": len(data), "blobId": digest("", data)}
                if large(name):
                    item["lfs"] = {"sha256": digest(name, data), "size": len(data), "pointerSize": 134}
                siblings.append(item)
            answer = {"id": repo, "modelId": repo, "sha": COMMIT, "private": False, "siblings": siblings,
                      "tags": [], "downloads": 0, "cardData": {"license": "apache-2.0"}}  # fmt: skip
            body = json.dumps(answer).encode()
            self._head(200, len(body), {"Content-Type": "application/json"})
            self.wfile.write(body)

        def _redirect(self, repo: str, name: str, data: bytes) -> None:
            port = self.server.server_address[1]
            self._head(302, 0, {
                "Location": f"http://localhost:{port}/cdn/{repo.replace('/', '--')}/{name}",
                "X-Repo-Commit": COMMIT, "X-Linked-Etag": f'"{digest(name, data)}"',
                "X-Linked-Size": str(len(data)),
            })  # fmt: skip

        def _file(self, data: bytes, name: str, kind: str, argument: float) -> None:
            asked, start = self.headers.get("Range"), 0
            headers = {"ETag": f'"{digest(name, data)}"', "X-Repo-Commit": COMMIT}
            if asked and kind != "no ranges":
                start = int(asked.removeprefix("bytes=").partition("-")[0])
                headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
            body = data[start:]
            if kind == "wrong":
                body = bytes([body[0] ^ 1]) + body[1:]
            elif kind == "longer":
                body += b"more"
            self._head(206 if "Content-Range" in headers else 200, len(body), headers)
            if self.command == "HEAD":
                return
            try:
                for at in range(0, len(body), PIECE):
                    if kind == "cut" and at >= argument:
                        self.close_connection = True
                        return
                    if kind == "stall" and at >= PIECE:
                        time.sleep(argument)
                        self.close_connection = True
                        return
                    if kind == "slow":
                        time.sleep(argument)
                    self.wfile.write(body[at : at + PIECE])
            except OSError:
                self.close_connection = True  # the other side has gone away

        def _refuse(self, code: int, error: str = "") -> None:
            headers = {"X-Error-Code": error} if error else {}
            if code == 429:
                headers["Retry-After"] = "120"
            self._head(code, 0, headers)

        def _head(self, code: int, length: int, headers: dict[str, str]) -> None:
            self.send_response(code)
            # No connection outlives its answer, so that the server can be waited for when it ends.
            for key, value in {"Content-Length": str(length), "Connection": "close", **headers}.items():
                self.send_header(key, value)
            self.end_headers()

    class Server(ThreadingHTTPServer):
        daemon_threads = False  # ended with the test, or it would speak in the next one

    server = Server(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
