#!/usr/bin/python3
"""identity.py CONFIG   fill Keystone's database: admin, regions, service users, catalogue.

Standard input has one JSON object: admin password, users' passwords, endpoints. What exists stays
(passwords are set again), so it may run on any database. Through Keystone's own library rather than
its API: nothing needs to listen, and no password is ever an argument.
"""
import json
import sys
import uuid

import keystone.server
from keystone.cmd import bootstrap
from keystone.common import driver_hints, provider_api
from keystone import exception

API = provider_api.ProviderAPIs
DOMAIN = "default"
INTERFACES = ("public", "internal", "admin")


def first(listing, **wanted):
    hints = driver_hints.Hints()
    for name, value in wanted.items():
        hints.add_filter(name, value)
    return next((x for x in listing(hints) if all(x.get(k) == v for k, v in wanted.items())), None)


def role(name):
    found = first(API.role_api.list_roles, name=name, domain_id=None)
    if found:
        return found["id"]
    new = uuid.uuid4().hex
    return API.role_api.create_role(new, {"id": new, "name": name})["id"]


def project(name):
    try:
        return API.resource_api.get_project_by_name(name, DOMAIN)["id"]
    except exception.ProjectNotFound:
        new = uuid.uuid4().hex
        return API.resource_api.create_project(
            new, {"id": new, "name": name, "domain_id": DOMAIN, "enabled": True})["id"]


def user(name, password):
    try:
        found = API.identity_api.get_user_by_name(name, DOMAIN)["id"]
        API.identity_api.update_user(found, {"password": password})
        return found
    except exception.UserNotFound:
        return API.identity_api.create_user(
            {"name": name, "password": password, "domain_id": DOMAIN, "enabled": True})["id"]


def service(kind, name):
    found = first(API.catalog_api.list_services, type=kind)
    if found:
        return found["id"]
    new = uuid.uuid4().hex
    return API.catalog_api.create_service(
        new, {"id": new, "type": kind, "name": name, "enabled": True})["id"]


def endpoints(region, service_id, url):
    have = {(e["interface"], e["region_id"], e["service_id"]): e
            for e in API.catalog_api.list_endpoints()}
    for interface in INTERFACES:
        known = have.get((interface, region, service_id))
        if known is None:
            new = uuid.uuid4().hex
            API.catalog_api.create_endpoint(new, {
                "id": new, "interface": interface, "url": url, "service_id": service_id,
                "region_id": region, "enabled": True})
        elif known["url"] != url:
            API.catalog_api.update_endpoint(known["id"], {"url": url})


def main():
    wanted = json.load(sys.stdin)
    config = sys.argv.pop(1)  # Keystone reads sys.argv itself
    keystone.server.configure(config_files=[config])
    first_user = bootstrap.Bootstrapper()
    first_user.admin_password = wanted["admin"]
    first_user.admin_username = first_user.project_name = first_user.admin_role_name = "admin"
    first_user.immutable_roles = True
    first_user.bootstrap()
    for region in wanted["regions"]:
        try:
            API.catalog_api.create_region({"id": region, "description": region})
        except exception.Conflict:
            pass
    role("manager")
    service_project = project("service")
    for name, password in wanted["users"].items():
        made = user(name, password)
        for needed in ("admin", "service"):
            try:
                API.assignment_api.add_role_to_user_and_project(
                    made, service_project, role(needed))
            except exception.Conflict:
                pass
    for kind, name, region, url in wanted["endpoints"]:
        endpoints(region, service(kind, name), url)
    print("identity ready")


main()
