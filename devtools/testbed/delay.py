"""A way to a port that takes time, as if the server were far off, and counts.

    with DelayProxy(bed.imap_ssl, round_trip=0.05) as proxy:
        ... proxy.port ... proxy.octets

Half of the time is added in each direction; as much as comes is on the way at once,
so that only waiting for answers gets slower, not the transfer: `speed` is for that. All
connections are served by one thread.
"""

import asyncio
import threading

from ..running import Running

_PIECE = 65536
# Seconds that one piece takes where there is a speed.
_STEP = 0.05
# Pieces on the way of one connection in one direction.
_MOST = 1024


class DelayProxy(Running):
    """Forwards a free port of 127.0.0.1 to `port` of `host`; a context manager.

    `round_trip`: seconds. `speed`: octets a second in each direction, 0 for as many as
    come; may be changed while it runs. `port`: where it listens, once started. `sent`
    and `received`: what clients sent and got, in bytes. `connections`: how many there
    were. `log`: the bytes that clients sent, if `keep_log`.
    """

    def __init__(
        self,
        port: int,
        *,
        round_trip: float = 0.0,
        speed: float = 0.0,
        host: str = "127.0.0.1",
        keep_log: bool = False,
    ) -> None:
        self._target = (host, port)
        self._delay = round_trip / 2
        self.speed = speed
        self._keep_log = keep_log
        self._started = threading.Event()
        self.port = 0
        self.sent = self.received = self.connections = 0
        self.log = bytearray()
        self._open: set[asyncio.StreamWriter] = set()

    @property
    def octets(self) -> int:
        """Bytes in both directions."""
        return self.sent + self.received

    def start(self) -> "DelayProxy":
        """Listen."""
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._run()), daemon=True
        )
        self._thread.start()
        self._started.wait()
        return self

    def drop(self) -> None:
        """Break the connections that there are; new ones are served."""
        self._loop.call_soon_threadsafe(self._drop)

    def stop(self) -> None:
        """End the listener and all connections."""
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()

    def _drop(self) -> None:
        for writer in self._open:
            writer.transport.abort()

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=500)
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        await self._stopping.wait()
        server.close()

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.connections += 1
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.close()
            return
        self._open |= {writer, far_writer}
        # One direction may end before the other (half-closed connections).
        try:
            await asyncio.gather(
                self._forward(reader, far_writer, outward=True),
                self._forward(far_reader, writer, outward=False),
                return_exceptions=True,
            )
        except asyncio.CancelledError:
            return  # the proxy is stopped
        finally:
            self._open -= {writer, far_writer}
            writer.close()
            far_writer.close()

    async def _forward(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        outward: bool,
    ) -> None:
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_MOST)
        arriving = asyncio.create_task(self._deliver(under_way, writer))
        try:
            data = b"-"
            while data and not arriving.done():
                size = int(self.speed * _STEP) + 1 if self.speed else _PIECE
                data = await reader.read(size)
                self._count(data, outward)
                await under_way.put((self._loop.time() + self._delay, data))
            await arriving
        except OSError:
            writer.close()  # the other side learns of the end, too
            arriving.cancel()

    async def _deliver(
        self,
        under_way: "asyncio.Queue[tuple[float, bytes]]",
        writer: asyncio.StreamWriter,
    ) -> None:
        while True:
            due, data = await under_way.get()
            await asyncio.sleep(max(due - self._loop.time(), 0))
            if not data:
                writer.write_eof() if writer.can_write_eof() else writer.close()
                return
            writer.write(data)
            await writer.drain()
            if self.speed:
                await asyncio.sleep(len(data) / self.speed)

    def _count(self, data: bytes, outward: bool) -> None:
        if not outward:
            self.received += len(data)
            return
        self.sent += len(data)
        if self._keep_log:
            self.log += data
