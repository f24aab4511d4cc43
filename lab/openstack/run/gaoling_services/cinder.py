"""cinder-scheduler, cinder-volume and cinder-backup in one process."""
import shlex
import sys

import eventlet

eventlet.monkey_patch()


def main():
    import os_brick
    from cinder import objects, service, utils, version
    from cinder.cmd import backup, volume  # noqa: F401  (their options)
    from cinder.common import config, constants  # noqa: F401
    from oslo_config import cfg
    from oslo_log import log
    from oslo_privsep import priv_context
    from oslo_service import service as oslo_service

    conf = cfg.CONF
    objects.register_all()
    conf(sys.argv[1:], project="cinder", version=version.version_string())
    log.setup(conf, "cinder")
    priv_context.init(root_helper=shlex.split(utils.get_root_helper()))
    utils.monkey_patch()
    os_brick.setup(conf)

    class Service(service.Service):
        def report_state(self):
            # The record's id is an attribute of the CLASS: without this the services of one
            # process report for the last of them only, and the others look dead.
            service.Service.service_id = self.origin_service_id
            super().report_state()

    launcher = oslo_service.ServiceLauncher(conf, restart_method="mutate")
    launcher.launch_service(Service.create(binary="cinder-scheduler"))
    for backend in conf.enabled_backends:
        conf.register_opt(volume.host_opt, group=backend)
        host = "%s@%s" % (getattr(conf, backend).backend_host or conf.host, backend)
        launcher.launch_service(Service.create(
            host=host, service_name=backend, binary=constants.VOLUME_BINARY, coordination=True))
    launcher.launch_service(Service.create(
        binary="cinder-backup", coordination=True, service_name="backup", process_number=1,
        semaphore=utils.semaphore_factory(conf.backup_max_operations, 1)))
    launcher.wait()
