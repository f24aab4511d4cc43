"""nova-conductor, nova-scheduler and nova-compute in one process."""
import os
import sys


def main():
    import nova.monkey_patch  # noqa: F401
    import nova.conf
    import nova.virt
    from nova import config, objects, service
    from nova.compute import rpcapi as compute
    from nova.conductor import rpcapi as conductor
    from nova.scheduler import rpcapi as scheduler
    from oslo_log import log
    from oslo_service import service as oslo_service

    # compute_driver is only looked up below nova.virt
    nova.virt.__path__.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    config.parse_args(["nova-all", *sys.argv[1:]])
    log.setup(nova.conf.CONF, "nova")
    objects.register_all()
    objects.Service.enable_min_version_cache()
    launcher = oslo_service.ServiceLauncher(nova.conf.CONF, restart_method="mutate")
    for binary, rpc in (
        ("nova-conductor", conductor), ("nova-scheduler", scheduler), ("nova-compute", compute),
    ):
        launcher.launch_service(service.Service.create(binary=binary, topic=rpc.RPC_TOPIC))
    launcher.wait()
