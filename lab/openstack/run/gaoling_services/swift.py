"""A whole Swift cluster in one process: four servers, container sync and the container updater."""
import os
import sys
import time

import eventlet
import eventlet.hubs


def main():
    folder = sys.argv[1]
    from swift.common import utils
    utils.SWIFT_CONF_FILE = os.path.join(folder, "swift.conf")  # a module's global, not an option
    from swift.common import wsgi
    eventlet.hubs.use_hub(utils.get_hub())
    keep_the_hub()
    utils.eventlet_monkey_patch()
    from swift.common import storage_policy  # noqa: F401  (registers the policies)
    from swift.container.sync import ContainerSync
    from swift.container.updater import ContainerUpdater

    threads = []
    for kind in ("account", "container", "object", "proxy"):
        path = os.path.join(folder, kind + "-server.conf")
        # verbose: logs go to /dev/log, which is not there, and so to standard error
        conf, logger, _ = wsgi._initrp(path, kind + "-server", verbose=True)
        conf.setdefault("__file__", path)
        threads.append(eventlet.spawn(wsgi.run_server, conf, logger, wsgi.get_socket(conf)))
    path = os.path.join(folder, "container-server.conf")
    sync = ContainerSync(utils.readconf(path, "container-sync"))
    threads.append(eventlet.spawn(sync.run_forever))
    updater = ContainerUpdater(utils.readconf(path, "container-updater"))
    threads.append(eventlet.spawn(update_for_ever, updater))
    end = eventlet.event.Event()
    for thread in threads:
        thread.link(lambda _: end.ready() or end.send(1))
    end.wait()  # any of them ending ends the process: supervisord starts it anew
    os._exit(1)


def keep_the_hub():
    """run_server would replace the hub under the other servers; native threads still need one."""
    use_hub, local = eventlet.hubs.use_hub, eventlet.hubs._threadlocal

    def use_hub_once(*args):
        if not hasattr(local, "hub"):
            use_hub(*args)

    eventlet.hubs.use_hub = use_hub_once


def update_for_ever(updater):
    """Containers' counts to their accounts. The daemon's own loop forks; one sweep does not."""
    while True:
        start = time.time()
        updater.run_once()
        eventlet.sleep(max(1.0, updater.interval - (time.time() - start)))
