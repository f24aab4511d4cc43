"""Configuration of Prometheus, Alertmanager and Grafana, rendered from Python."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

RETENTION = "400d"
SCRAPE = "5s"  # the lab shows a change soon; 30s is right for a city


def prometheus(rules: Path, ports: Mapping[str, int], city: str, scrape: str = SCRAPE) -> str:
    """Return prometheus.yml: the exporter, Prometheus itself, Alertmanager, and the rules."""
    jobs = {"gaoling": "exporter", "prometheus": "prometheus", "alertmanager": "alertmanager"}
    data: dict[str, Any] = {
        "global": {
            "scrape_interval": scrape,
            "scrape_timeout": scrape,
            "evaluation_interval": scrape,
            "external_labels": {"city": city},
        },
        "rule_files": [f"{rules}/*.yml"],
        "alerting": {
            "alertmanagers": [
                {"static_configs": [{"targets": [f"127.0.0.1:{ports['alertmanager']}"]}]}
            ]
        },
        "scrape_configs": [
            {
                "job_name": job,
                "static_configs": [{"targets": [f"127.0.0.1:{ports[name]}"]}],
            }
            for job, name in jobs.items()
        ],
    }
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True)


def alertmanager() -> str:
    """Return alertmanager.yml.

    Nobody is called in the lab: the receivers are empty, and there to be filled in a city. What a
    dead county hides is inhibited here too, but the rules do not rely on it (after a restart
    Alertmanager lets inhibited alerts out).
    """
    data: dict[str, Any] = {
        "route": {
            "receiver": "operations",
            "group_by": ["alertname", "county"],
            "group_wait": "10s",
            "group_interval": "1m",
            "repeat_interval": "12h",
            "routes": [
                # an overdue target is a line that stands, never a page
                {"matchers": ['severity="standing"'], "receiver": "standing",
                 "repeat_interval": "720h"},
            ],
        },
        "receivers": [{"name": "operations"}, {"name": "standing"}],
        "inhibit_rules": [
            {"source_matchers": ['alertname="CountyDead"'],
             "target_matchers": ['alertname=~"TownshipsUnreachable|VillagesUnreachable"'],
             "equal": ["county"]},
            {"source_matchers": ['alertname="ExporterDown"'],
             "target_matchers": ['alertname=~"Collector.*|EvidenceOld|NoData"']},
        ],
    }  # fmt: skip
    return yaml.safe_dump(data, sort_keys=False)


def grafana(state: Path, etc: Path, log: Path, port: int, password: Path) -> str:
    """Return grafana.ini: loopback, no anonymous access, nothing fetched, nothing reported."""
    return f"""\
[server]
http_addr = 127.0.0.1
http_port = {port}
[paths]
data = {state}
logs = {log}
plugins = {state}/plugins
provisioning = {etc}/provisioning
[security]
admin_password = $__file{{{password}}}
disable_gravatar = true
cookie_samesite = strict
[auth.anonymous]
enabled = false
[users]
allow_sign_up = false
default_language = zh-Hans
[analytics]
reporting_enabled = false
check_for_updates = false
check_for_plugin_updates = false
[plugins]
public_key_retrieval_disabled = true
preinstall_disabled = true
[log]
mode = console
"""


def provisioning(port: int, dashboards: Path) -> Mapping[str, str]:
    """Return the files of Grafana's provisioning: the datasource and the dashboards' folder."""
    source = {
        "apiVersion": 1,
        "datasources": [
            {"name": "Prometheus", "uid": "gaoling", "type": "prometheus", "access": "proxy",
             "url": f"http://127.0.0.1:{port}", "isDefault": True, "editable": False}
        ],
    }  # fmt: skip
    boards = {
        "apiVersion": 1,
        "providers": [
            {"name": "gaoling", "folder": "高岭", "type": "file", "allowUiUpdates": False,
             "options": {"path": str(dashboards)}}
        ],
    }  # fmt: skip
    return {
        "datasources/gaoling.yaml": json.dumps(source, ensure_ascii=False, indent=1),
        "dashboards/gaoling.yaml": json.dumps(boards, ensure_ascii=False, indent=1),
    }


def rule_files(folder: Path) -> Sequence[Path]:
    """Return the rule files of a folder, sorted."""
    return sorted(folder.glob("*.yml"))
