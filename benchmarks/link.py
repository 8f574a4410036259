"""A slow link: a TCP proxy on loopback that holds everything back, in both directions.

`python -m benchmarks.link --delay-ms MS HOST:PORT` prints its own port, then serves until it is ended.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys


class Link:
    """Connections to a server, with half of the delay each way."""

    def __init__(self, host: str, port: int, delay: float) -> None:
        """`delay`: seconds that an exchange takes longer."""
        self._host, self._port, self._half = host, port, delay / 2

    async def serve(self) -> None:
        """Listen on a free port of 127.0.0.1, print it, and go on until cancelled."""
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(self._host, self._port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(self._pass_on(reader, far_writer), self._pass_on(far_reader, writer))

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Write what is read, each piece after the delay: later pieces do not wait for earlier ones."""
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                loop.call_later(self._half, writer.write, data)
        loop.call_later(self._half, writer.close)


def main(arguments: list[str]) -> int:
    """Serve."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.link", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--delay-ms", type=float, default=0.0)
    parser.add_argument("server", help="HOST:PORT")
    given = parser.parse_args(arguments)
    host, _, port = given.server.rpartition(":")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(Link(host, int(port), given.delay_ms / 1000).serve())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
