"""An HTTP mirror on loopback that serves, cuts, drops or stalls the MNIST archives, and counts."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import threading
from pathlib import Path

import numpy as np

from mnist_lab.data.files import FILES, IdxFile

IMAGES = "train-images-idx3-ubyte"
_SMALL = {60_000: 400, 10_000: 100}


def small_content(seed: int = 0) -> dict[str, bytes]:
    """Four small IDX files: 400 and 100 random images, labels in turn; about 310 kB compressed."""
    rng = np.random.default_rng(seed)
    content = {}
    for spec in FILES:
        shape = (_SMALL[spec.shape[0]], *spec.shape[1:])
        data = rng.integers(0, 256, shape, np.uint8) if len(shape) == 3 else np.arange(shape[0]) % 10
        header = np.array([0x0800 + len(shape), *shape], ">i4").tobytes()
        content[spec.name] = header + data.astype(np.uint8).tobytes()
    return content


def specs_of(content: dict[str, bytes]) -> tuple[IdxFile, ...]:
    """What `files.FILES` has to be for this content."""
    return tuple(
        IdxFile(
            spec.name,
            hashlib.sha256(content[spec.name]).hexdigest(),
            (_SMALL[spec.shape[0]], *spec.shape[1:]),
        )
        for spec in FILES
    )


def write_files(folder: Path, content: dict[str, bytes]) -> Path:
    """Lay the files out as torchvision does. Returns the raw folder."""
    raw = folder / "MNIST" / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    for name, data in content.items():
        (raw / name).write_bytes(data)
    return raw


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Mirror

    def log_message(self, *args: object) -> None:
        """Quiet: `requests` has them."""

    def do_GET(self) -> None:
        folder, _, name = self.path.strip("/").rpartition("/")
        agent = self.headers["User-Agent"]
        self.server.requests.append((folder, name, agent))
        archive = self.server.archives[name]
        # torchvision asks twice, first for the redirect: that one has a header named "Method".
        behaviour = folder.rpartition("-")[2] if IMAGES in name and not self.headers["Method"] else "whole"
        body = archive
        if behaviour == "truncated":
            body = archive[: len(archive) // 2]
        elif behaviour == "changed":
            body = gzip.compress(gzip.decompress(archive)[:-1] + b"?", 1)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        half = len(body) // 2 if behaviour in ("dies", "stalls") else len(body)
        self.wfile.write(body[:half])
        if behaviour == "stalls" and IMAGES in name:
            self.server.stalled.set()
            self.connection.settimeout(60)
            if self.connection.recv(1) == b"":
                self.server.client_gone.set()


class Mirror(http.server.ThreadingHTTPServer):
    """Serves the archives below any folder. The folder's last word says what happens to the largest one:
    "x-whole", "x-truncated", "x-dies", "x-stalls", "x-changed". `requests` has (folder, file, user agent)."""

    daemon_threads = True
    request_queue_size = 32
    block_on_close = False

    def __init__(self, content: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.archives = {f"{name}.gz": gzip.compress(data, 1) for name, data in content.items()}
        self.requests: list[tuple[str, str, str]] = []
        self.stalled, self.client_gone = threading.Event(), threading.Event()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def url(self, folder: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{folder}/"

    def torchvision_gets(self, folder: str, name: str) -> int:
        """How often torchvision asked for an archive."""
        wanted = (folder, f"{name}.gz", "pytorch/vision")
        return sum(request == wanted for request in self.requests)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is what these tests are about."""
