"""Browsers without a screen: sessions that watch a page of the app as a browser's do, and draw nothing.

What thirty browsers cost the server is measured with them, because thirty real ones need more processors than it does.
They speak Streamlit's protocol with its own messages: ask for the page, and then for each part of it that draws itself
again, as often as it wants to be.
"""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import Future
from contextlib import suppress
from urllib.parse import urlencode

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

TIMEOUT = 120.0  # seconds until a page that was asked for has failed


class Watchers:
    """`count` sessions on the page `path` ("" is Train) with that query. Use it with `with`: inside, all have the page.

    `opened` and `polls` are what they waited, in seconds: for the whole page, and for a part of it each time.
    """

    def __init__(self, url: str, count: int, path: str = "", **query: object):
        self._address = f"{url.replace('http', 'ws', 1)}/_stcore/stream"
        self._count, self._path, self._query = count, path, urlencode(query)
        self.opened: list[float] = []
        self.polls: list[float] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._watching: list[Future] = []

    def __enter__(self) -> Watchers:
        self._thread.start()
        self._watching = [asyncio.run_coroutine_threadsafe(self._watch(), self._loop) for _ in range(self._count)]
        deadline = time.monotonic() + TIMEOUT
        while len(self.opened) < self._count:
            for one in self._watching:
                if one.done():
                    one.result()  # says what went wrong
                    raise RuntimeError("The server closed a watcher's connection.")
            if time.monotonic() > deadline:
                raise RuntimeError(f"Only {len(self.opened)} of {self._count} watchers got their page.")
            time.sleep(0.05)
        return self

    def __exit__(self, *exception: object) -> None:
        asyncio.run_coroutine_threadsafe(self._leave(), self._loop).result(TIMEOUT)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        for one in self._watching:
            if not one.cancelled():
                one.result()

    async def _leave(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for one in others:
            one.cancel()
        await asyncio.gather(*others, return_exceptions=True)  # what went wrong before is raised by its future

    async def _watch(self) -> None:
        async with connect(self._address, subprotocols=["streamlit"], max_size=None) as socket:
            asked = time.perf_counter()
            await socket.send(self._ask().SerializeToString())
            repeated: dict[str, float] = {}
            await self._until_drawn(socket, repeated)
            self.opened.append(time.perf_counter() - asked)
            with suppress(ConnectionClosed):
                while repeated:
                    for fragment, seconds in list(repeated.items()):
                        await asyncio.sleep(seconds)
                        asked = time.perf_counter()
                        await socket.send(self._ask(fragment).SerializeToString())
                        await self._until_drawn(socket, repeated)
                        self.polls.append(time.perf_counter() - asked)
                await socket.wait_closed()

    def _ask(self, fragment: str = "") -> BackMsg:
        message = BackMsg()
        state = message.rerun_script
        state.query_string, state.page_name = self._query, self._path
        state.fragment_id, state.is_auto_rerun = fragment, bool(fragment)
        return message

    async def _until_drawn(self, socket: ClientConnection, repeated: dict[str, float]) -> None:
        """Take what the server sends until the script has ended; `repeated` gets the fragments and their seconds."""
        while True:
            message = ForwardMsg.FromString(await socket.recv())
            kind = message.WhichOneof("type")
            if kind == "auto_rerun":
                repeated[message.auto_rerun.fragment_id] = message.auto_rerun.interval
            elif kind == "stop_auto_rerun":
                for fragment in message.stop_auto_rerun.fragment_ids:
                    repeated.pop(fragment, None)
            elif kind == "new_session" and not message.metadata.run.fragment_ids:
                repeated.clear()
            elif kind == "script_finished":
                return
