"""A process that asks for MNIST: `asker.py FOLDER OUTCOME`, writes OUTCOME as JSON.

The checksums are those of the small content. It never loses patience: only its own end ends its download.
"""

import importlib.util
import json
import sys
from pathlib import Path

from mnist_lab.data import download, files

spec = importlib.util.spec_from_file_location("mirror", Path(__file__).with_name("mirror.py"))
mirror = importlib.util.module_from_spec(spec)
spec.loader.exec_module(mirror)

folder, outcome = sys.argv[1:]
download.SOCKET_SECONDS = download.STALL_SECONDS = download.START_SECONDS = 600.0
files.FILES = mirror.specs_of(mirror.small_content())
messages: list[tuple[str, float]] = []
result = {"fetched": None, "error": ""}
try:
    result["fetched"] = download.download_mnist(folder, progress=lambda *said: messages.append(said))
except files.DataError as error:
    result["error"] = str(error)
Path(outcome).write_text(json.dumps({**result, "messages": messages, "torch": "torch" in sys.modules}))
