"""nova-conductor, nova-scheduler and nova-compute in one process; or nova-compute alone."""
import os
import sys


def main():
    _run("nova-all", ("conductor", "scheduler", "compute"))


def compute():
    """Another host of a region that has its conductor and scheduler already."""
    _run("nova-compute", ("compute",))


def _run(name, parts):
    import nova.monkey_patch  # noqa: F401
    import nova.conf
    import nova.virt
    from nova import config, objects, service
    from nova.compute import rpcapi as rpc
    from nova.conductor import rpcapi as conductor
    from nova.scheduler import rpcapi as scheduler
    from oslo_log import log
    from oslo_service import service as oslo_service

    # compute_driver is only looked up below nova.virt
    nova.virt.__path__.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    config.parse_args([name, *sys.argv[1:]])
    log.setup(nova.conf.CONF, "nova")
    objects.register_all()
    objects.Service.enable_min_version_cache()
    launcher = oslo_service.ServiceLauncher(nova.conf.CONF, restart_method="mutate")
    topics = {"conductor": conductor, "scheduler": scheduler, "compute": rpc}
    for part in parts:
        launcher.launch_service(
            service.Service.create(binary=f"nova-{part}", topic=topics[part].RPC_TOPIC))
    launcher.wait()
