#!/usr/bin/python3
"""watch_guests.py REGION=FOLDER ...   start an agent anew when a guest lost IPv4 and IPv6 goes on.

An agent that stands still says every five seconds that it lives. What it serves tells more: a guest
that has its IPv6 address from the router and none from DHCP, or reaches its gateway over IPv6 and
not over IPv4 (ARP), has an agent that does not do its work. Each agent is ended once for each guest,
and supervisord starts it anew; a started agent looks at everything again.
"""
import json
import os
import signal
import subprocess
import sys
import time

EVERY, PATIENCE = 10, 45  # seconds: between two looks, and that a guest may take to be whole
AGENTS = {"no IPv4 address": "dhcp", "no way to its IPv4 gateway": "linuxbridge"}


def ip(namespace, *words):
    done = subprocess.run(["ip", "-n", namespace, "-json", *words], capture_output=True, text=True)
    return json.loads(done.stdout or "[]") if done.returncode == 0 else []


def addresses(namespace, family):
    found = ip(namespace, f"-{family}", "address", "show", "scope", "global")
    return [a for link in found for a in link.get("addr_info", ())]


def gateway(namespace, family):
    for route in ip(namespace, f"-{family}", "route", "show", "default"):
        if "gateway" in route:
            return route["gateway"], route["dev"]
    return None, None


def answers(namespace, family, address, device):
    words = ["ping", f"-{family}", "-c", "2", "-W", "1", "-I", device, address]
    return subprocess.call(["ip", "netns", "exec", namespace, *words],
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0


def ailment(namespace):
    """What a guest lacks over IPv4 that it has over IPv6; None when it is whole or has neither."""
    if not addresses(namespace, 6):
        return None
    if not addresses(namespace, 4):
        return "no IPv4 address"
    four, six = gateway(namespace, 4), gateway(namespace, 6)
    if four[0] and six[0] and not answers(namespace, 4, *four) and answers(namespace, 6, *six):
        return "no way to its IPv4 gateway"
    return None


def end(service):
    """Kill the process of a service of the lab; return whether there was one."""
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/environ", "rb") as file:
                marks = file.read().split(b"\0")
            with open(f"/proc/{name}/cmdline", "rb") as file:
                words = file.read()
        except OSError:
            continue
        if f"GAOLING_SERVICE={service}".encode() in marks and b"neutron-agent" in words:
            os.kill(int(name), signal.SIGKILL)
            return True
    return False


def look(region, folder, since, ended):
    for uuid in os.listdir(folder) if os.path.isdir(folder) else ():
        namespace = f"vm-{uuid}"
        found = ailment(namespace) if os.path.exists(f"/run/netns/{namespace}") else None
        if found is None:
            since.pop(uuid, None)
            continue
        first = since.setdefault(uuid, time.monotonic())
        service = f"{AGENTS[found]}-{region}"
        if time.monotonic() - first > PATIENCE and (uuid, service) not in ended:
            ended.add((uuid, service))
            print(f"{time.strftime('%F %T')} guest {uuid} of {region}: {found}; "
                  f"{service} {'is started anew' if end(service) else 'does not run'}", flush=True)


def main(pairs):
    since, ended = {}, set()
    while True:
        for region, folder in pairs:
            look(region, folder, since, ended)
        time.sleep(EVERY)


if __name__ == "__main__":
    main([pair.split("=", 1) for pair in sys.argv[1:]])
