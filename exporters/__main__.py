"""`python -m exporters`: serve a city's evidence to Prometheus, or print it once."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from exporters.build import build
from exporters.server import server
from exporters.webconfig import WebConfig, WebConfigError, read_web_config
from gaoling.addressing import LockError
from gaoling.city import RegisterError


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m exporters", description=__doc__)
    add = parser.add_argument
    add("--city", type=Path, required=True, help="the city's folder")
    add("--access-dir", type=Path, required=True, help="folder with ssh_config, key, known_hosts")
    add("--clouds", type=Path, required=True, help="clouds.yaml, an entry a region")
    add("--state", type=Path, required=True, help="folder that keeps the evidence")
    add("--run-dir", type=Path, help="folder for SSH's control sockets (default: STATE/run)")
    add("--journal", type=Path, help="the journal of changes: which families are in service")
    add("--listen", default="127.0.0.1:9464", help="address and port")
    add("--web.config.file", dest="web", type=Path, help="TLS and basic auth (exporter-toolkit)")
    add("--interval-scale", type=float, default=1.0, help="factor for all intervals (lab: 0.25)")
    add("--once", action="store_true", help="collect once, print the metrics, end")
    return parser


def main() -> int:
    """Run; return 2 for input that cannot be used."""
    given = arguments().parse_args()
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", level=logging.WARNING)
    try:
        web = read_web_config(given.web) if given.web else WebConfig()
        schedule = build(
            given.city, given.access_dir, given.clouds, given.state,
            given.run_dir or given.state / "run", given.journal, given.interval_scale,
        )  # fmt: skip
    except (RegisterError, LockError, WebConfigError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    if given.once:
        schedule.once()
        schedule.close()
        sys.stdout.write(schedule.page.decode())
        return 0
    host, _, port = given.listen.rpartition(":")
    server(schedule, web, host.strip("[]"), int(port)).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
