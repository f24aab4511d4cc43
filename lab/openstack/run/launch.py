#!/usr/bin/python3
"""launch.py NAME TARGET [arguments]   start an OpenStack service from Debian's Python libraries.

The libraries come without the console scripts. TARGET is an entry point (`glance.cmd.api:main`)
or one of our own: nova-all, cinder-all, swift-all, neutron-server, neutron-agent.

Start with `python3 -P`: this folder comes LAST on the path, so that no module here can shadow one
of OpenStack's (a routes.py once killed all APIs).
"""
import importlib
import os
import pathlib
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
OURS = {
    "nova-all": "gaoling_services.nova:main",
    "nova-compute": "gaoling_services.nova:compute",
    "cinder-all": "gaoling_services.cinder:main",
    "swift-all": "gaoling_services.swift:main",
    "neutron-server": "gaoling_services.neutron:server",
    "neutron-agent": "gaoling_services.neutron:agent",
}


def born():
    """Leave a mark of when this process started: heartbeats older than it do not count."""
    folder, service = os.environ.get("GAOLING_BORN"), os.environ.get("GAOLING_SERVICE")
    if folder and service:
        pathlib.Path(folder, service).touch()


def main():
    name, target, arguments = sys.argv[1], sys.argv[2], sys.argv[3:]
    sys.path.append(HERE)
    born()
    sys.argv = [name, *arguments]
    module, function = OURS.get(target, target).split(":")
    sys.exit(getattr(importlib.import_module(module), function)())


if __name__ == "__main__":
    main()
