"""A Nova virt driver whose servers are network namespaces with a few processes.

    compute_driver = netnsdriver.NetnsDriver      (nova.virt.__path__ is extended by nova-all)

spawn() makes a namespace a server and a veth pair a port. The outer end is called tap<port id>, as
the Linux bridge agent expects, and lives in the region's namespace. The server's own processes live
in PID, mount and UTS namespaces: PID 1 is guest-init, which takes addresses from the network and
executes user_data. What must survive a restart of nova-compute is in [netns]state_dir/<uuid>/.
"""
from .driver import NetnsDriver  # noqa: F401
