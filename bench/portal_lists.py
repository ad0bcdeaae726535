"""How fast 1,000 objects are listed from a portal that is 80 ms away (facts/performance 4 and 5).

    .venv/bin/python -m bench.portal_lists [--latency MS] [--work MS] [--objects N] [--runs N]

A small server on this machine answers `biconnector.connector.list` and `batch` like a portal, each request `--latency`
milliseconds late, plus `--work` milliseconds for every list query it runs, alone or inside a batch. The reference are
the 20 calls that hold the objects, one after another over a pooled connection; compared with it are a connection per
call (as b24pysdk makes them), `pages`, which also asks for the page that ends the list, and `everything`, which asks
for several pages per round trip. Medians of alternating runs; the goal is a ratio within one run.
"""

from __future__ import annotations

import argparse
import json
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import requests

from egress.policy import Policy
from services.portal_api._transport import Transport
from services.portal_api.client import PAGE_SIZE, PortalClient

LIST = "biconnector.connector.list"
GOAL = 8.0


def connector(number: int) -> dict[str, Any]:
    """An object of the size that portals answer."""
    base = f"https://connector-{number}.example.com/bi/{number:032x}"
    return {
        "id": str(number),
        "title": f"Warehouse of branch {number}",
        "dateCreate": "2025-03-24 07:25:59",
        "logo": "data:image/svg+xml;base64," + "PHN2ZyB3aWR0aD0iMjIi" * 12,
        "description": "Stock, orders and returns of one branch",
        "sort": 100,
        "urlCheck": f"{base}/check",
        "urlData": f"{base}/data",
        "urlTableList": f"{base}/tables",
        "urlTableDescription": f"{base}/columns",
        "settings": [{"name": name.title(), "code": name, "type": "STRING"} for name in ("login", "password")],
    }


@contextmanager
def portal(objects: int, latency: float, work: float) -> Iterator[int]:
    """A portal with `objects` connectors; its port. `latency` and `work` in seconds."""
    shelf = [connector(number) for number in range(1, objects + 1)]

    def page(number: int) -> list[dict[str, Any]]:
        time.sleep(work)
        return shelf[PAGE_SIZE * (number - 1) : PAGE_SIZE * number]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            time.sleep(latency)
            if "cmd" in body:
                queries = {key: parse_qs(command.partition("?")[2]) for key, command in body["cmd"].items()}
                found = {key: page(int(query["page"][0])) for key, query in queries.items()}
                self._send({"result": {"result": found, "result_error": []}})
            else:
                self._send({"result": page(int(body["page"]))})

        def _send(self, answer: dict[str, Any]) -> None:
            text = json.dumps(answer).encode()
            head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n"
            self.wfile.write(head.encode() + text)

        def log_message(self, format: str, *args: Any) -> None:
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Tokens:
    """One token for one portal."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint

    def token(self) -> str:
        """The token."""
        return "bench"

    def renew(self, rejected: str) -> str:
        """The same token."""
        return rejected

    def endpoint(self) -> str:
        """Where the portal is."""
        return self._endpoint

    def moved_to(self, endpoint: str) -> None:
        """This portal stays."""

    def gone(self, code: str) -> None:
        """This portal stays."""


def one_connection_each(endpoint: str) -> int:
    """Page after page, a new connection for each; how many objects."""
    count, number = 0, 1
    while True:
        body = {"auth": "bench", "order": {"id": "ASC"}, "page": number}
        page = requests.post(endpoint + LIST, json=body, timeout=60).json()["result"]
        count, number = count + len(page), number + 1
        if len(page) < PAGE_SIZE:
            return count


def just_the_calls(client: PortalClient, objects: int) -> int:
    """The pages that hold the objects, by somebody who knows how many there are."""
    return sum(
        len(client.call(LIST, order={"id": "ASC"}, page=page)) for page in range(1, -(-objects // PAGE_SIZE) + 1)
    )


def measure(objects: int, latency: float, work: float, runs: int) -> list[tuple[str, float]]:
    """Median seconds of each way, in alternating runs."""
    with portal(objects, latency, work) as port:
        endpoint = f"http://127.0.0.1:{port}/rest/"
        client = PortalClient(Transport(Policy(insecure_hosts=[f"127.0.0.1:{port}"])), Tokens(endpoint))
        ways: dict[str, Callable[[], int]] = {
            "reference: calls one after another": lambda: just_the_calls(client, objects),
            "a connection per call": lambda: one_connection_each(endpoint),
            "page by page (pages)": lambda: sum(len(page) for page in client.pages(LIST)),
            "several per round trip (everything)": lambda: len(client.everything(LIST)),
        }
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(runs):
            for name, way in ways.items():
                started = time.perf_counter()
                assert way() == objects
                seconds[name].append(time.perf_counter() - started)
    return [(name, statistics.median(taken)) for name, taken in seconds.items()]


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description="List a portal's objects in three ways.")
    parser.add_argument("--latency", type=float, default=80.0, help="milliseconds per request")
    parser.add_argument("--work", type=float, default=0.0, help="milliseconds per list query inside the portal")
    parser.add_argument("--objects", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=5)
    given = parser.parse_args()
    rows = measure(given.objects, given.latency / 1000, given.work / 1000, given.runs)
    reference = rows[0][1]
    print(f"{given.objects} objects, {given.latency:g} ms latency, {given.work:g} ms per query, {given.runs} runs")
    print("| way | median s | times faster |\n|---|---|---|")
    for name, median in rows:
        print(f"| {name} | {median:.3f} | {reference / median:.1f} |")
    reached = reference / rows[-1][1]
    print(f"goal: at least {GOAL:g} times faster: {'reached' if reached >= GOAL else 'MISSED'} ({reached:.1f})")


if __name__ == "__main__":
    main()
