"""`python -m emulator`: start the emulator and say where it is."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from emulator.config import EmulatorConfig
from emulator.server import start
from emulator.statefile import UnreadableState


def main(arguments: list[str] | None = None) -> int:
    """Start the emulator as the environment and the command line say and serve until interrupted."""
    config = read_arguments(EmulatorConfig.from_environment(), arguments)
    try:
        server = start(config)
    except OSError as problem:
        sys.stderr.write(f"Cannot listen on {config.host} port {config.port}: {problem.strerror}.\n")
        return 1
    except UnreadableState as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    sys.stdout.write(f"Emulated portal: {server.url}/\n")
    sys.stdout.flush()
    try:
        server.wait()
    except KeyboardInterrupt:
        server.stop()
    return 0


def read_arguments(config: EmulatorConfig, arguments: list[str] | None) -> EmulatorConfig:
    """`config` with what the command line overrides. Ends the program on arguments that do not fit."""
    parser = argparse.ArgumentParser(prog="python -m emulator", description="A Bitrix24 portal for development.")
    parser.add_argument("--host", default=config.host, help="address to listen on (default %(default)s)")
    parser.add_argument("--port", type=int, default=config.port, help="port to listen on (default %(default)s)")
    parser.add_argument("--app-url", default=config.app_url, help="the application's address (default %(default)s)")
    parser.add_argument("--public-url", help="address under which browsers and the application reach the portal")
    parser.add_argument("--state", type=Path, help="file in which the portal's state survives a restart")
    parser.add_argument("--certificate", type=Path, help="PEM file with the certificate, to serve TLS")
    parser.add_argument("--private-key", type=Path, help="PEM file with the certificate's private key")
    given = parser.parse_args(arguments)
    if bool(given.certificate) != bool(given.private_key):
        parser.error("--certificate and --private-key belong together.")
    scheme = "https" if given.certificate else "http"
    return replace(
        config,
        host=given.host,
        port=given.port,
        app_url=given.app_url.rstrip("/"),
        public_url=(given.public_url or f"{scheme}://localhost:{given.port}").rstrip("/"),
        state_file=given.state,
        certificate=given.certificate,
        private_key=given.private_key,
    )


if __name__ == "__main__":
    sys.exit(main())
