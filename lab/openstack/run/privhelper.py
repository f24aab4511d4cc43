#!/usr/bin/python3
"""The privsep helper of an agent, with Neutron's contexts merged: one daemon instead of four.

The separate capability sets buy nothing where the agent is root anyway; a daemon costs 90 MiB.
"""
import sys

import neutron.privileged as privileged

for name in ("dhcp_release_cmd", "ovs_vsctl_cmd", "namespace_cmd", "conntrack_cmd", "link_cmd"):
    setattr(privileged, name, privileged.default)

from oslo_privsep import daemon  # noqa: E402  (contexts first)

sys.exit(daemon.helper_main())
