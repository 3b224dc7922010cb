"""A stand-in for the hub on this machine: the requests that pushing and loading make, and nothing else."""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(ThreadingHTTPServer):
    """Repositories by name, each with its files."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.repositories: dict[str, dict[str, bytes]] = {}
        self.private: set[str] = set()
        self.tokens: set[str] = set()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Answering(BaseHTTPRequestHandler):
    server: Hub

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = self.path.strip("/").split("/")
        self.server.tokens.add(self.headers.get("Authorization", ""))
        if parts == ["api", "repos", "create"]:
            asked = json.loads(body)
            name = f"{asked.get('organization') or 'somebody'}/{asked['name']}"
            self.server.repositories.setdefault(name, {})
            if asked.get("private") or asked.get("visibility") == "private":
                self.server.private.add(name)
            self.answer({"url": f"{self.server.address}/{name}", "id": name, "name": name})
        elif parts[:2] == ["api", "validate-yaml"]:
            self.answer({"errors": [], "warnings": []})
        elif parts[:2] == ["api", "models"] and parts[4] == "preupload":
            files = json.loads(body)["files"]
            self.answer(
                {"files": [{"path": each["path"], "uploadMode": "regular", "shouldIgnore": False} for each in files]}
            )
        elif parts[:2] == ["api", "models"] and parts[4] == "commit":
            name = f"{parts[2]}/{parts[3]}"
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    content = base64.b64decode(line["value"]["content"])
                    self.server.repositories[name][line["value"]["path"]] = content
            self.answer(
                {
                    "success": True,
                    "commitOid": COMMIT,
                    "commitUrl": f"{self.server.address}/{name}/commit/{COMMIT}",
                    "hookOutput": "",
                }
            )
        else:
            self.answer({"error": "not here"}, 404)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        parts = self.path.strip("/").split("/")
        if parts[:2] == ["api", "models"]:
            name = "/".join(parts[2:4])
            known = name in self.server.repositories
            self.answer({"id": name, "sha": COMMIT, "siblings": []} if known else {}, 200 if known else 404)
            return
        content = self.server.repositories.get("/".join(parts[:2]), {}).get("/".join(parts[4:]))
        if parts[2:3] != ["resolve"] or content is None:
            self.answer({"error": "Repository not found"}, 404, {"X-Error-Code": "RepoNotFound"})
            return
        headers = {"ETag": f'"{hashlib.sha1(content).hexdigest()}"', "X-Repo-Commit": COMMIT}
        self.send(content, 200, headers, "application/octet-stream")

    def answer(self, value: object, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.send(json.dumps(value).encode(), status, headers or {}, "application/json")

    def send(self, content: bytes, status: int, headers: dict[str, str], kind: str) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Type": kind, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *arguments: object) -> None:
        pass


@contextmanager
def serving() -> Iterator[Hub]:
    with Hub() as hub:
        thread = threading.Thread(target=hub.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield hub
        finally:
            hub.shutdown()
            thread.join()
