"""Every metric that is exported: its name and HELP in one table, and the text format."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from exporters.base import Sample

# All are gauges: what is counted here can fall. Order of the exposition is that of the table.
HELP: Mapping[str, str] = {
    "gaoling_systems": "Systems counted for cloud adoption that stand on a rung of the ladder.",
    "gaoling_systems_not_counted": "Systems of the register outside cloud adoption, by reason.",
    "gaoling_cloud_adoption_ratio": "Counted systems that answer as themselves in the primary"
    " region (definition cloud-adoption).",
    "gaoling_ipv6_systems_ratio": "Counted systems that answer over IPv4 and IPv6.",
    "gaoling_sites": "Counted sites that stand on a rung of the ladder, by level and county.",
    "gaoling_sites_missing": "Counted sites not seen reachable, by level and county: absent,"
    " unattached in the register, or unknown.",
    "gaoling_sites_hidden": "Sites that cannot be seen because of these dead devices.",
    "gaoling_extranet_access_ratio": "Counted sites that are reachable over every family in"
    " service there (definition extranet-access).",
    "gaoling_ipv6_sites_ratio": "Counted sites that are reachable over IPv4 and IPv6.",
    "gaoling_routers": "Routers seen alive or dead, by role and county.",
    "gaoling_rate_denominator": "Subjects in the denominator of a rate.",
    "gaoling_rate_subjects": "Subjects of a rate by state: observed, absent or unknown.",
    "gaoling_rate_expired": "Unknown subjects of a rate of which expired evidence is there.",
    "gaoling_rate_exempt": "Subjects that are exempt from a rate.",
    "gaoling_rate_missing": "Subjects missing from a rate, by owner.",
    "gaoling_rate_info": "Definition of a rate and the hash of who is counted.",
    "gaoling_evidence_oldest_timestamp_seconds": "Time of the oldest evidence that a rate rests"
    " on.",
    "gaoling_recovery_point_age_seconds": "Age of the newest sentinel object readable in the"
    " other region.",
    "gaoling_recovery_objective_seconds": "Recovery point objective of the system's policy.",
    "gaoling_cloud_drift": "Differences between the cloud and what the stacks hold, by region,"
    " system and kind: changed, missing, foreign or orphan.",
    "gaoling_cloud_declared_timestamp_seconds": "Time when what the stacks hold was read from"
    " their states.",
    "gaoling_target_info": "A target of the register.",
    "gaoling_target_ratio": "Value of a target.",
    "gaoling_target_deadline_timestamp_seconds": "End of a target's last day, Asia/Shanghai.",
    "gaoling_target_measured_ratio": "The rate that measures a target.",
    "gaoling_target_state": "1 for the state in which a target is.",
    "gaoling_capacity_cores": "Processors that a region can promise to servers.",
    "gaoling_capacity_used_cores": "Processors that servers hold.",
    "gaoling_capacity_reserved_cores": "Processors kept: for the loss of a host, for a failover,"
    " for what the register asks and is not made yet.",
    "gaoling_capacity_free_cores": "Processors neither held nor kept; below 0 they are missing.",
    "gaoling_capacity_bytes": "Memory, root disk and volumes that a region can promise.",
    "gaoling_capacity_used_bytes": "Memory, root disk and volumes that are held.",
    "gaoling_capacity_reserved_bytes": "Memory, root disk and volumes kept, by reason.",
    "gaoling_capacity_free_bytes": "Memory, root disk and volumes neither held nor kept; below 0"
    " they are missing.",
    "gaoling_capacity_left_seconds": "Time until more is taken than is there without the largest"
    " host, by growth and by what is planned; five years stand for longer.",
    "gaoling_capacity_lead_seconds": "Time that the slowest kind of host takes to come.",
    "gaoling_capacity_history_samples": "Daily samples that growth can be reckoned from.",
    "gaoling_capacity_history_damaged": "Lines of the history that could not be read.",
    "gaoling_capacity_hosts": "Compute hosts by state.",
    "gaoling_capacity_order_due_hosts": "Hosts and storage nodes that have to be ordered by now.",
    "gaoling_collector_success": "Whether the last collection went through without a fault.",
    "gaoling_collector_duration_seconds": "Duration of the last collection.",
    "gaoling_collector_last_success_timestamp_seconds": "Time of the last collection without a"
    " fault.",
    "gaoling_collector_deadline_seconds": "Time that a collection may take.",
    "gaoling_collector_interval_seconds": "Time from the start of a collection to the next.",
    "gaoling_collector_wanted": "Things that the last collection should have looked at.",
    "gaoling_collector_covered": "Things that the last collection did look at.",
    "gaoling_evidence_observations": "Observations held, fresh or not.",
    "gaoling_evidence_damaged": "Lines of the evidence file that could not be read at the start.",
    "gaoling_exporter_info": "The city whose evidence this is.",
}


def render(samples: Iterable[Sample]) -> bytes:
    """Return samples in the text format, version 0.0.4, sorted.

    Raises KeyError for a name that is not in the table, ValueError for one series twice.
    """
    lines: dict[str, dict[str, str]] = {name: {} for name in HELP}
    for sample in samples:
        labels = ",".join(f'{k}="{_escape(v)}"' for k, v in sorted(sample.labels.items()))
        series = f"{sample.name}{{{labels}}}" if labels else sample.name
        if series in lines[sample.name]:
            raise ValueError(f"{series} is there twice")
        lines[sample.name][series] = f"{series} {_number(sample.value)}\n"
    parts = []
    for name, found in lines.items():
        if found:
            parts.append(f"# HELP {name} {HELP[name]}\n# TYPE {name} gauge\n")
            parts += [found[series] for series in sorted(found)]
    return "".join(parts).encode()


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    if isinstance(value, float) and math.isfinite(value) and value == int(value):
        return str(int(value)) if abs(value) < 1e15 else repr(value)
    return repr(value)
