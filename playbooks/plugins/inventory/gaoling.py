# Copyright the Gaoling authors
# SPDX-License-Identifier: Apache-2.0
# Apache-2.0 is compatible with the GPL-3.0-or-later of ansible-core, into which this is loaded.
"""Ansible inventory from a city's register."""

from __future__ import annotations

from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin

from gaoling.city import Role
from gaoling.city.faults import RegisterError
from gaoling.network.intent import changeable, intent_of
from gaoling.network.settings import access_folder, city_folder, load_plan
from gaoling.network.waves import waves

DOCUMENTATION = r"""
name: gaoling
short_description: routers and vantages of a city
description:
  - Groups by level (C(level_township)), county (C(county_360222)), platform (C(platform_frr)), role
    (C(role_core)) and wave of a change (C(wave_1)); C(routers) are those that are ours to change.
options:
  plugin:
    description: must be C(gaoling)
    required: true
    choices: [gaoling]
  city:
    description: a folder of inventories/ or a path; without it GAOLING_CITY, the running lab, ...
    type: str
"""


class InventoryModule(BaseInventoryPlugin):
    NAME = "gaoling"

    def verify_file(self, path):
        """Return whether the file is one of ours: NAME.gaoling.yml."""
        return super().verify_file(path) and path.endswith("gaoling.yml")

    def parse(self, inventory, loader, path, cache=True):
        """Fill the inventory; AnsibleParserError holds every fault of the register."""
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        try:
            plan = load_plan(city_folder(self.get_option("city")))
        except RegisterError as error:
            raise AnsibleParserError(
                f"{len(error.faults)} faults in the register:\n{error}"
            ) from error
        city = plan.city
        for device in changeable(city):  # here, before Ansible forks: each worker has them then
            intent_of(plan, device.name)
        inventory.add_group("routers")
        for number, names in enumerate(waves(city), 1):
            inventory.add_group(f"wave_{number}")
            for name in names:  # in the order of the waves: `serial` counts on it
                inventory.add_host(name, group="routers")
                inventory.add_host(name, group=f"wave_{number}")
                inventory.set_variable(name, "gaoling_wave", number)
        config = access_folder() / "ssh_config"
        for device in city.devices:
            site = city.site[device.site]
            groups = [f"level_{site.level}", f"platform_{device.platform}", f"role_{device.role}"]
            if county := city.county_of(site):
                groups.append(f"county_{county}")
            for group in groups:
                inventory.add_group(group)
                inventory.add_host(device.name, group=group)
            inventory.set_variable(device.name, "ansible_host", str(device.management))
            probe = device.role is Role.VANTAGE
            inventory.set_variable(device.name, "ansible_user", "probe" if probe else "netadmin")
            inventory.set_variable(device.name, "ansible_ssh_common_args", f"-F {config}")
