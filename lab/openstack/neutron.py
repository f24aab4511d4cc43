"""Neutron: ML2 with the Linux bridge, and real agents in a network namespace of the region."""

from __future__ import annotations

from pathlib import Path

from lab.openstack import common, paste
from lab.openstack.heartbeats import agent_alive
from lab.openstack.probe import answers
from lab.openstack.render import File, Folder, Section, Sections, ini
from lab.openstack.topology import LOOPBACK, PYTHON, REGIONS, UID_API, Cloud, Region
from lab.openstack.wires import TUNNEL_ADDRESS
from lab.supervise import Service

AGENTS = {  # short name: what Neutron calls it
    "linuxbridge": "neutron-linuxbridge-agent",
    "l3": "neutron-l3-agent",
    "dhcp": "neutron-dhcp-agent",
}
QUOTA = {
    "quota_network": 200,
    "quota_subnet": 400,
    "quota_port": 2000,
    "quota_router": 200,
    "quota_floatingip": 200,
    "quota_security_group": 400,
    "quota_security_group_rule": 4000,
    "quota_rbac_policy": 100,
}


def configuration(cloud: Cloud, region: Region, database: Section) -> str:
    home = cloud.region_data(region) / "neutron"
    return ini(
        {
            "DEFAULT": {
                "bind_host": LOOPBACK,
                "bind_port": region.port("neutron"),
                "state_path": home,
                "api_paste_config": cloud.region_etc(region) / "neutron-paste.ini",
                "service_plugins": "router,qos,network_ip_availability,port_forwarding",
                "auth_strategy": "keystone",
                "api_workers": 0,
                "rpc_workers": 1,  # lib/gaoling_services/neutron.py keeps it in this process
                "rpc_state_report_workers": 0,
                # a green thread a connection, for as long as its client keeps it: 100 idle ones
                # and nobody else is let in
                "wsgi_default_pool_size": 1000,
                "dns_domain": f"{region.name}.lab.",
                "notify_nova_on_port_status_changes": True,
                "notify_nova_on_port_data_changes": True,
                "send_events_interval": 0,
                "network_auto_schedule": True,
                "router_auto_schedule": True,
                "dhcp_agents_per_network": 1,
                "l3_ha": False,
                "agent_down_time": 30,
                "max_allowed_address_pair": 50,
                **_shared(cloud, region),
            },
            "database": database,
            "ml2": {
                "type_drivers": "flat,vxlan",
                "tenant_network_types": "vxlan",
                "mechanism_drivers": "linuxbridge",
                "extension_drivers": "port_security,qos",
                "overlay_ip_version": 4,
                "path_mtu": 1550,
            },
            "ml2_type_flat": {"flat_networks": "physnet1"},
            "ml2_type_vxlan": {"vni_ranges": "1:10000"},
            "quotas": QUOTA,
            "nova": common.client(cloud, "neutron", region),
            **_sections(home),
            **common.token_check(cloud, "neutron", region),
        }
    )


def _shared(cloud: Cloud, region: Region) -> Section:
    return {
        "host": region.host,
        "core_plugin": "ml2",
        "transport_url": cloud.broker(f"neutron-{region.name}"),
        "global_physnet_mtu": 1500,
        "rpc_response_timeout": 60,
        "setproctitle": "off",  # it overwrites the environment, and with it the lab's mark
    }


def _sections(home: Path) -> Sections:
    return {
        "experimental": {"linuxbridge": True},
        "securitygroup": {
            "enable_security_group": True,
            "enable_ipset": True,
            "firewall_driver": "iptables",
        },
        "oslo_messaging_rabbit": {"heartbeat_in_pthread": False, "rpc_conn_pool_size": 10},
        **common.locks(home / "locks"),
        **common.QUIET,
    }


def agents(cloud: Cloud, region: Region) -> dict[str, str]:
    """Return the agents' configuration by file name: `agent.ini` is for all of them."""
    home = cloud.region_data(region) / "agents"
    helper: Section = {
        "helper_command": f"{PYTHON} -P {cloud.lib / 'privhelper.py'}",
        # it forks to make a namespace: with a second thread that holds a lock the child waits for
        # ever, and the agent with it
        "thread_pool_size": 1,
    }
    contexts = ("privsep", *(f"privsep_{c}" for c in ("dhcp_release", "namespace", "conntrack")))
    common_part: Sections = {
        "DEFAULT": {"state_path": home, **_shared(cloud, region)},
        "AGENT": {
            "root_helper": "",
            "root_helper_daemon": "",
            "use_helper_for_ns_read": False,
            "report_interval": 5,
        },
        **dict.fromkeys((*contexts, "privsep_link"), helper),
        **_sections(home),
    }
    return {
        "agent.ini": ini(common_part),
        "linuxbridge.ini": ini(
            {
                "linux_bridge": {"bridge_mappings": "physnet1:br-ext"},
                "vxlan": {
                    "enable_vxlan": True,
                    "local_ip": TUNNEL_ADDRESS,
                    "l2_population": False,
                    "udp_dstport": 4789,
                },
                "agent": {"polling_interval": 1, "quitting_rpc_timeout": 5, "extensions": "qos"},
            }
        ),
        "l3.ini": ini(
            {
                "DEFAULT": {
                    "interface_driver": "linuxbridge",
                    "agent_mode": "legacy",
                    "enable_metadata_proxy": False,
                    # radvd's router lifetime is three times the longest interval: not too short,
                    # or a restarting agent takes the guests' default route away
                    "min_rtr_adv_interval": 10,
                    "max_rtr_adv_interval": 60,
                    "cleanup_on_shutdown": False,
                },
                "agent": {"extensions": "port_forwarding"},
            }
        ),
        "dhcp.ini": ini(
            {
                "DEFAULT": {
                    "interface_driver": "linuxbridge",
                    "dhcp_driver": "neutron.agent.linux.dhcp.Dnsmasq",
                    "enable_isolated_metadata": False,
                    "force_metadata": False,
                    "resync_interval": 5,
                    "dnsmasq_dns_servers": "",
                    "dnsmasq_local_resolv": False,
                    "num_sync_threads": 4,
                }
            }
        ),
    }


def folders(cloud: Cloud) -> list[Folder]:
    result = []
    for region in REGIONS:
        data = cloud.region_data(region)
        result += [Folder(data / "neutron", UID_API), Folder(data / "neutron" / "locks", UID_API)]
        # dnsmasq gives up its rights and must still read its files
        result += [Folder(data / "agents", 0, 0o711), Folder(data / "agents" / "locks")]
    return result


def files(cloud: Cloud) -> list[File]:
    result = []
    for region in REGIONS:
        etc = cloud.region_etc(region)
        database = common.database(cloud, "neutron", f"neutron_{region.name}")
        result.append(File(etc / "neutron.conf", configuration(cloud, region, database), UID_API))
        result.append(File(etc / "neutron-paste.ini", paste.NEUTRON, UID_API))
        result += [File(etc / name, text) for name, text in agents(cloud, region).items()]
    return result


def services(cloud: Cloud) -> list[Service]:
    result = []
    for region in REGIONS:
        etc = cloud.region_etc(region)
        result.append(
            Service(
                name=f"neutron-{region.name}",
                argv=cloud.python(
                    "neutron", "neutron-server", "--config-file", etc / "neutron.conf"
                ),
                wave=2,
                env=common.ENV,
                uid=UID_API,
                ready=answers(region.url("neutron") + "/"),
            )
        )
        for kind, binary in AGENTS.items():
            files = ("--config-file", etc / "agent.ini", "--config-file", etc / f"{kind}.ini")
            command = cloud.python(f"{kind}-agent", "neutron-agent", kind, *files)
            result.append(
                Service(
                    name=f"{kind}-{region.name}",
                    argv=(str(cloud.lib / "in-region"), region.name, *command),
                    # An agent that reports before Neutron listens waits for the RPC timeout
                    wave=3,
                    env={**common.ENV, "GAOLING_BORN": str(cloud.born)},
                    kill_group=False,  # dnsmasq and radvd go on serving without their agent
                    ready=agent_alive(cloud, region, f"{kind}-{region.name}", binary),
                )
            )
    return result
