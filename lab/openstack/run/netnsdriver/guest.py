"""One guest: its folder, its namespace, its interfaces and its processes. Knows nothing of Nova."""
import contextlib
import json
import os
import shutil
import signal
import subprocess
import time

import eventlet
from oslo_concurrency import processutils

INIT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "guest-init")
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
STOP_SECONDS = 5
# The kernel asks for a router advertisement until one comes: after a restart of everything guests
# boot before their routers. One per second at first, never less than one in four.
IPV6 = {
    "addr_gen_mode": 0, "use_tempaddr": 0, "accept_ra": 1, "autoconf": 1,
    "router_solicitations": -1, "router_solicitation_delay": 0,
    "router_solicitation_interval": 1, "router_solicitation_max_interval": 4,
}


def run(*words, ok=(0,)):
    return processutils.execute(*[str(word) for word in words], check_exit_code=list(ok))[0]


def link_exists(namespace, link):
    return subprocess.call(["ip", "-n", namespace, "link", "show", link],
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0


def stat(pid):
    """The fields of /proc/PID/stat after the name: state first, parent second, start at 19."""
    with open("/proc/%d/stat" % pid) as file:
        return file.read().rsplit(")", 1)[1].split()


class Guest:
    def __init__(self, folder, uuid, region_namespace):
        self.uuid = uuid
        self.folder = os.path.join(folder, uuid)
        self.namespace = "vm-" + uuid
        self.region = region_namespace

    # ---------------------------------------------------------------- what is written down
    def path(self, *names):
        return os.path.join(self.folder, *names)

    def create(self, facts, user_data):
        os.makedirs(self.path("volumes"), mode=0o700, exist_ok=True)
        with open(os.open(self.path("user-data"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o700),
                  "wb") as file:
            file.write(user_data)
        self.save(facts)

    def load(self):
        """The guest's facts; FileNotFoundError when there is no such guest."""
        with open(self.path("guest.json")) as file:
            return json.load(file)

    def save(self, facts):
        with open(self.path("guest.json.new"), "w") as file:
            json.dump(facts, file, indent=1)
        os.replace(self.path("guest.json.new"), self.path("guest.json"))

    def console(self):
        with contextlib.suppress(FileNotFoundError), open(self.path("console.log"), "rb") as file:
            file.seek(max(0, os.path.getsize(self.path("console.log")) - 65536))
            return file.read()
        return b""

    # ---------------------------------------------------------------- interfaces
    def connect(self, vifs):
        """Make the namespace and plug these VIFs; what is there stays."""
        if not os.path.exists("/run/netns/" + self.namespace):
            run("ip", "netns", "add", self.namespace)
            run("ip", "-n", self.namespace, "link", "set", "lo", "up")
        facts = self.load()
        for vif in vifs:
            used = {known["dev"] for known in facts["vifs"].values()}
            free = next("eth%d" % n for n in range(64) if "eth%d" % n not in used)
            known = facts["vifs"].setdefault(vif["id"], {"tap": vif["devname"], "dev": free})
            self._plug(vif, known["dev"])
        self.save(facts)

    def _plug(self, vif, dev):
        tap, mtu = vif["devname"], vif["network"].get_meta("mtu") or 1500
        if link_exists(self.region, tap):
            return
        run("ip", "-n", self.region, "link", "add", tap, "mtu", mtu, "type", "veth",
            "peer", "name", dev, "mtu", mtu, "address", vif["address"], "netns", self.namespace)
        run("ip", "netns", "exec", self.namespace, "sysctl", "-qw",
            *("net.ipv6.conf.%s.%s=%s" % (dev, key, value) for key, value in IPV6.items()))
        # The agent puts DHCP's and routers' taps into their bridge and leaves servers' ports to
        # the compute service (os-vif does this for libvirt). Whoever is first makes the bridge.
        # Our end goes up now, for the agent looks for that; the guest brings up its own.
        bridge = vif["network"]["bridge"]
        if not link_exists(self.region, bridge):
            run("ip", "-n", self.region, "link", "add", bridge, "type", "bridge",
                "forward_delay", 0, "stp_state", 0, "mcast_snooping", 0, ok=(0, 2))
            run("ip", "netns", "exec", self.region, "sysctl", "-qw",
                "net.ipv6.conf.%s.disable_ipv6=1" % bridge)
            run("ip", "-n", self.region, "link", "set", bridge, "up")
        run("ip", "-n", self.region, "link", "set", tap, "master", bridge, "up")

    def unplug(self, tap):
        subprocess.call(["ip", "-n", self.region, "link", "del", tap], stderr=subprocess.DEVNULL)

    def disconnect(self):
        """As a hypervisor does: no guest, no tap; the port goes DOWN."""
        for vif in self.load()["vifs"].values():
            self.unplug(vif["tap"])

    def forget(self, vif):
        facts = self.load()
        facts["vifs"].pop(vif["id"], None)
        self.unplug(vif["devname"])
        self.save(facts)

    # ---------------------------------------------------------------- volumes: a name for a file
    def attach(self, name, path):
        link = self.path("volumes", name)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(link)
        os.symlink(path, link)

    def detach(self, name):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path("volumes", name))

    # ---------------------------------------------------------------- processes
    def pid(self):
        """The process that holds the guest, when it runs and is the one that we started."""
        with contextlib.suppress(OSError, ValueError), open(self.path("pid")) as file:
            pid, start = file.read().split()
            found = stat(int(pid))
            if found[0] not in "ZX" and found[19] == start:
                return int(pid)
        return None

    def init(self, pid):
        """The guest's PID 1 as seen from here: the only child of `pid`."""
        for name in os.listdir("/proc"):  # not every kernel has /proc/PID/task/PID/children
            if name.isdigit():
                with contextlib.suppress(OSError):
                    if int(stat(int(name))[1]) == pid:
                        return int(name)
        raise ProcessLookupError(pid)

    def environment(self, **more):
        # the mark by which `gaoling lab down` finds what it must end
        return {"PATH": PATH, "GAOLING_LAB_PART": "cloud", "GUEST": self.folder, **more}

    def _detached(self, command, env):
        """setsid -f: an orphan with a session of its own, so that Nova's death does not touch it."""
        with open(self.path("console.log"), "ab", buffering=0) as log:
            subprocess.Popen(["setsid", "-f", *command], stdin=subprocess.DEVNULL, stdout=log,
                             stderr=log, close_fds=True, cwd="/", env=env).wait()

    def start(self):
        if self.pid():
            return True
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path("pid"))
        script = ('echo $$ $(sed "s/.*) //" /proc/$$/stat | cut -d" " -f20) >"$GUEST/pid.new"; '
                  'mv "$GUEST/pid.new" "$GUEST/pid"; exec unshare --pid --fork --kill-child '
                  '--mount --mount-proc --uts "$INIT" init')
        hostname = self.load()["hostname"]
        self._detached(["nsenter", "--net=/run/netns/" + self.namespace, "sh", "-c", script],
                       self.environment(NAME=hostname, UUID=self.uuid, INIT=INIT, LC_ALL="C.UTF-8"))
        for _ in range(100):
            if self.pid():
                return True
            eventlet.sleep(0.05)
        return False

    def inside(self, *command):
        pid = self.pid()
        if pid:
            enter = ["nsenter", "-t", str(self.init(pid)), "-n", "-p", "-m", "-u"]
            self._detached([*enter, *command], self.environment(NAME=self.load()["hostname"]))

    def signal(self, number):
        pid = self.pid()
        if pid:
            with contextlib.suppress(OSError):
                os.kill(self.init(pid), number)

    def stop(self, seconds=STOP_SECONDS):
        """An orderly shutdown (PID 1 traps TERM), after `seconds` the end of the PID namespace."""
        pid = self.pid()
        if not pid:
            return
        self.signal(signal.SIGTERM)
        deadline = time.monotonic() + seconds
        while self.pid() and time.monotonic() < deadline:
            eventlet.sleep(0.05)
        if self.pid():
            self.signal(signal.SIGKILL)
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)

    def remove(self):
        self.stop(2)
        with contextlib.suppress(FileNotFoundError):
            self.disconnect()
        if os.path.exists("/run/netns/" + self.namespace):
            run("ip", "netns", "del", self.namespace, ok=(0, 1))
        shutil.rmtree(self.folder, ignore_errors=True)
