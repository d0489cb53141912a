"""`python -m bench.latency --data DIR --snowhaul FILE [--snowhaul FILE ...] [--partitions 200] [--round-trip 0.1]`: what a
migration costs when Snowflake is far away. Between each binary and the local Snowflake lies a proxy in which every answer
takes a round trip more, and every new connection two (TCP and TLS 1.3). Told are seconds, statements, connections and
logins, of the whole and for each partition. Brings its own local servers."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import subprocess
import threading
import time
from pathlib import Path

from .partitions import fill, server, workflow

ROWS_OF_A_PARTITION = 50


class Proxy:
    """Delays bytes by half a round trip in either direction, and connections by two."""

    def __init__(self, port: int, round_trip: float) -> None:
        self.target, self.round_trip = port, round_trip
        self.connections = self.logins = 0
        self.port = 0
        self._started = threading.Event()
        threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True).start()
        self._started.wait()

    async def _serve(self) -> None:
        listener = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = listener.sockets[0].getsockname()[1]
        self._started.set()
        await listener.serve_forever()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        await asyncio.sleep(2 * self.round_trip)
        up, down = await asyncio.open_connection("127.0.0.1", self.target)
        await asyncio.gather(self._pipe(reader, down, True), self._pipe(up, writer, False), return_exceptions=True)

    async def _pipe(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, is_request: bool) -> None:
        """What was read is on its way while more is read."""
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def read() -> None:
            while data := await reader.read(65536):
                if is_request:
                    self.logins += len(re.findall(rb"login-request", data))
                queue.put_nowait((time.monotonic() + self.round_trip / 2, data))
            queue.put_nowait((time.monotonic() + self.round_trip / 2, b""))

        async def write() -> None:
            while True:
                due, data = await queue.get()
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                if not data:
                    break
                writer.write(data)
                await writer.drain()
            writer.close()

        await asyncio.gather(read(), write())


def measure(data: Path, database: str, snowhaul: Path, number: int, round_trip: float) -> None:
    home = data / "local-snowflake"
    connection = (home / "connections.toml").read_text()
    port = int(re.search(r"^port\s*=\s*(\d+)", connection, re.MULTILINE)[1])
    proxy = Proxy(port, round_trip)
    own = data / f"home-{number}"
    own.mkdir(exist_ok=True)
    connections = own / "connections.toml"
    connections.write_text(connection.replace(str(port), str(proxy.port)))
    connections.chmod(0o600)
    file = data / f"workflow-{number}.json"
    file.write_text(workflow(database, f"BENCH_{number}", ROWS_OF_A_PARTITION))
    log = home / "statements.jsonl"
    before = len(log.read_text().splitlines())
    environment = {
        **os.environ, "SNOWFLAKE_HOME": str(own), "SNOWFLAKE_CONNECTION_NAME": "local",
        "CUSTOM_SNOWFLAKE_DATABASE_FOR_METADATA": f"META_{number}",
    }  # fmt: skip
    command = [snowhaul, "run", file, "-c", data / "configuration.toml", "--source-platform", "postgresql", "--name", "far"]
    began = time.monotonic()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    seconds = time.monotonic() - began
    statements = [json.loads(line) for line in log.read_text().splitlines()[before:]]
    status = [snowhaul, "workflow", "status", "far", "--json"]
    answer = json.loads(subprocess.run(status, env=environment, check=True, capture_output=True).stdout)
    partitions = answer["tables"][0]["partitions_total"]
    connections, logins = proxy.connections, proxy.logins
    print(
        f"{snowhaul}: {partitions} partitions in {seconds:.1f} s ({seconds / partitions:.3f} s each); "
        f"{len(statements)} statements ({len(statements) / partitions:.2f} each), {sum(s['binds'] > 0 for s in statements)} of them "
        f"with bound values; {connections} connections ({connections / partitions:.2f} each), {logins} logins",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="latency", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--snowhaul", type=Path, action="append", required=True)
    parser.add_argument("--partitions", type=int, default=200)
    parser.add_argument("--round-trip", type=float, default=0.1)
    arguments = parser.parse_args()
    arguments.data.mkdir(parents=True, exist_ok=True)
    try:
        server("local-snowflake", "start", arguments.data)
        server("local-redshift", "start", arguments.data)
        database = fill(arguments.data, arguments.partitions * ROWS_OF_A_PARTITION)
        for number, snowhaul in enumerate(arguments.snowhaul):
            measure(arguments.data, database, snowhaul, number, arguments.round_trip)
    finally:
        server("local-snowflake", "stop", arguments.data)
        server("local-redshift", "remove", arguments.data)


if __name__ == "__main__":
    main()
