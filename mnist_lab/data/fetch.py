"""The child process of a download: torchvision's own MNIST download, into a folder that its parent gives.

    python -m mnist_lab.data.fetch FOLDER MIRROR TIMEOUT [--any-archive] [--test-set]

A process of its own, because importing torchvision takes seconds that the app should not spend, because
torchvision has no way to stop a download, and because what it leaves when it dies must not look complete.
"""

from __future__ import annotations

import os
import socket
import sys
import threading


def fetch(folder: str, mirror: str, timeout: float, *, any_archive: bool, test_set: bool) -> None:
    """Download MNIST from `mirror` (a URL that ends in "/") to `folder`/MNIST/raw with torchvision.

    `timeout` in seconds is for each wait on the socket. With `any_archive`, the .gz files need not be
    byte for byte LeCun's (a school's own mirror packs them itself); the parent verifies their content. With `test_set`,
    only the two files of the test set are fetched.
    """
    from torchvision.datasets import MNIST

    socket.setdefaulttimeout(timeout)
    MNIST.mirrors = [mirror]
    if any_archive:
        MNIST.resources = [(name, None) for name, _ in MNIST.resources]
    if test_set:
        MNIST.resources = [(name, md5) for name, md5 in MNIST.resources if name.startswith("t10k")]
    MNIST(folder, train=not test_set, download=True)


def end_with_parent() -> None:
    """End this process when the parent is gone: the parent holds the other end of our standard input."""
    while os.read(0, 1024):  # not sys.stdin, whose lock aborts an interpreter that ends meanwhile
        pass
    os._exit(1)


def main(arguments: list[str]) -> None:
    """Fetch as the command line says."""
    folder, mirror, timeout, *options = arguments
    fetch(folder, mirror, float(timeout), any_archive="--any-archive" in options, test_set="--test-set" in options)


if __name__ == "__main__":
    threading.Thread(target=end_with_parent, daemon=True).start()
    main(sys.argv[1:])
