# Copyright the Gaoling authors
# SPDX-License-Identifier: Apache-2.0
# Apache-2.0 is compatible with the GPL-3.0-or-later of ansible-core, into which this is loaded.
"""One task that changes one device, whole: see gaoling/network/change.py.

Arguments: families (list, default [4, 6]); to_backup (bool): go back to what was before IPv6;
confirm_seconds. The variable gaoling_change names a reviewed change: then only what was reviewed
is sent. Device output is returned only as the diff, and only where --diff asks for it.
"""

from __future__ import annotations

import os

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

# imported and prepared here, in the parent: the workers are forks and have it already
from gaoling.network import render, session
from gaoling.network.change import (
    CONFIRM_SECONDS,
    ChangeFailed,
    Job,
    backup_before_ipv6,
    change_device,
    refuse_unsupported,
)
from gaoling.network.guard import Refused
from gaoling.network.journal import families_in_service, open_journal, state_folder
from gaoling.network.render import Unsupported
from gaoling.network.review import patch_of
from gaoling.network.settings import access_folder, city_folder, load_plan

render.prepare()
session.prepare(access_folder())


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_diff = True
    _VALID_ARGS = frozenset(("families", "to_backup", "confirm_seconds"))

    def run(self, tmp=None, task_vars=None):
        """Return changed, what was done and how long it took."""
        result = super().run(tmp, task_vars)
        arguments = self._task.args
        device = task_vars["inventory_hostname"]
        plan = load_plan(city_folder())
        access = access_folder()
        journal, state = open_journal(plan.city, access=access), state_folder(plan.city)
        change = str(task_vars.get("gaoling_change", ""))
        back = bool(arguments.get("to_backup", False))
        families = frozenset({4} if back else map(int, arguments.get("families", (4, 6))))
        try:
            refuse_unsupported(plan.city, task_vars["ansible_play_hosts_all"])
            target = None
            if back:
                kept = backup_before_ipv6(journal, device)
                if kept is None:
                    result.update(changed=False, msg="no IPv6 was put in service here")
                    return result
                target = kept.read_text()
            with_ipv6 = {n for n, f in families_in_service(plan.city, journal).items() if 6 in f}
            batch = frozenset(task_vars["ansible_play_batch"])
            outcome = change_device(
                Job(
                    plan=plan,
                    device=device,
                    access=access,
                    state=state,
                    journal=journal,
                    change=change or f"ansible-{os.getppid()}",
                    families=families,
                    target=target,
                    in_service=batch | with_ipv6,
                    together=batch - with_ipv6,
                    check=bool(self._task.check_mode),
                    reviewed=patch_of(state, change, device) if change else None,
                    allow_deletions=back,
                    confirm_seconds=int(arguments.get("confirm_seconds", CONFIRM_SECONDS)),
                )
            )
        except (ChangeFailed, Refused, Unsupported) as error:
            raise AnsibleActionFail(str(error)) from error
        result.update(
            changed=outcome.changed,
            patch=outcome.digest,
            risk=outcome.risk,
            seconds=outcome.seconds,
        )
        if self._task.diff and outcome.diff:
            result["diff"] = {"prepared": outcome.diff}
        return result
