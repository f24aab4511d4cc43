"""neutron-server in one process, and the three agents."""
import importlib
import sys

AGENTS = {
    "linuxbridge": "neutron.cmd.eventlet.plugins.linuxbridge_neutron_agent",
    "l3": "neutron.cmd.eventlet.agents.l3",
    "dhcp": "neutron.cmd.eventlet.agents.dhcp",
}


def server():
    """API, RPC and periodic workers in one process: saves three forks of 100 MiB."""
    from neutron.cmd.eventlet import server as command  # monkey patches first
    from neutron import service
    load_by_key()
    get_rpc_workers, get_plugins_workers = service._get_rpc_workers, service._get_plugins_workers

    def in_process(get):
        def workers(*args):
            found = get(*args)
            for worker in found:
                worker._worker_process_count = 0
            return found
        return workers

    service._get_rpc_workers = in_process(get_rpc_workers)
    service._get_plugins_workers = in_process(get_plugins_workers)
    return command.main()


def load_by_key():
    """Load relations by the keys of what was found, not by the first query once more as a subquery.

    Half of the server's time went into building those subqueries, which SQLAlchemy 1.4 does not
    cache. Neutron itself has changed to selectin since (its bug 2067770).
    """
    from sqlalchemy.orm.relationships import RelationshipProperty
    from sqlalchemy.orm.strategies import SelectInLoader
    RelationshipProperty.strategy_for(lazy="subquery")(SelectInLoader)


def agent():
    """One of AGENTS, named by the first argument."""
    kind = sys.argv.pop(1)
    merge_contexts()
    module = importlib.import_module(AGENTS[kind])
    if kind == "linuxbridge":
        delete_among_by_number()
    if kind == "l3":
        announce_beside()
    return module.main()


def merge_contexts():
    """One privsep daemon an agent instead of two to four (lib/privhelper.py does the same)."""
    # Monkey patching FIRST: a context made before it has a native lock, and the second green
    # thread that needs the daemon at once then blocks the whole agent.
    import neutron.cmd.eventlet  # noqa: F401
    import neutron.privileged as privileged
    for name in ("dhcp_release_cmd", "ovs_vsctl_cmd", "namespace_cmd", "conntrack_cmd", "link_cmd"):
        setattr(privileged, name, privileged.default)


def delete_among_by_number():
    """ebtables-nft 1.8.9 cannot delete a rule with --among-src by its text ("Invalid argument").

    The agent retries that for ever under a lock, after any second treatment of a live port. By
    number it works, and these rules are the first of their chain.
    """
    from neutron.plugins.ml2.drivers.linuxbridge.agent import arp_protect

    def delete_rules(vif, current_rules):
        for line in current_rules:
            if "-i %s " % vif in line and "--among-src" in line:
                arp_protect.ebtables(["-D", arp_protect._mac_chain_name(vif), "1"])

    arp_protect._delete_vif_mac_rules = delete_rules


def announce_beside():
    """Let arping announce a router's addresses beside the agent's work, as often as before.

    Each announcement waits a second for answers that nobody gives, six times an address, and the
    agent has one privsep thread: nothing else was done meanwhile, twelve seconds a router. What
    arping says is not kept: its exit code is 1 when nobody answers, which is the rule here, and a
    neighbour that heard nothing asks.
    """
    from neutron.agent.linux import ip_lib

    def arping(ns_name, iface_name, address, count, log_exception):
        words = f"-I {iface_name} -c {count} -w {count + 1} {address} </dev/null >/dev/null 2>&1"
        both = f"arping -U {words} & arping -A {words} &"
        ip_lib.IPWrapper(namespace=ns_name).netns.execute(["sh", "-c", both], privsep_exec=True)

    ip_lib._arping = arping
