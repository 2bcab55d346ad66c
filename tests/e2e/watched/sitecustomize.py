"""Loaded by the app's interpreter at its start: notes, and refuses, every connection that would leave this machine."""

import os
import socket
import sys
from pathlib import Path

HERE = ("127.", "::1", "localhost")


def _watch(event, arguments):
    if event == "socket.getaddrinfo":
        host = arguments[0]
    # Connecting a datagram socket sends nothing: it is how Streamlit learns this machine's own address.
    elif event == "socket.connect" and arguments[0].type == socket.SOCK_STREAM and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    else:
        return
    host = host.decode() if isinstance(host, bytes) else host
    if host and not host.startswith(HERE):
        with Path(os.environ["OUTSIDE_LOG"]).open("a") as log:
            log.write(f"{event} {host}\n")
        raise OSError(f"the network cable is out: {host}")


sys.addaudithook(_watch)
