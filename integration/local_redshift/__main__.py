"""`python3 -m local_redshift --port PORT --server PORT --postmaster PID`: the port that plays Redshift, as long as the
server's process lives. What it needs is in Python's standard library."""

from __future__ import annotations

import argparse
import asyncio
import errno
import os

from .proxy import listen

# An earlier proxy of the same port may still be ending.
_TRIES, _PAUSE = 100, 0.1


async def _serve(port: int, server_port: int, postmaster: int) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(os.pidfd_open(postmaster), ended.set)
    for remaining in reversed(range(_TRIES)):
        try:
            await listen(port, server_port)
            break
        except OSError as error:
            if error.errno != errno.EADDRINUSE or remaining == 0:
                raise
            await asyncio.sleep(_PAUSE)
    await ended.wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="local_redshift", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--server", type=int, required=True)
    parser.add_argument("--postmaster", type=int, required=True)
    arguments = parser.parse_args()
    asyncio.run(_serve(arguments.port, arguments.server, arguments.postmaster))


if __name__ == "__main__":
    main()
