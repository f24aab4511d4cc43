#!/usr/bin/python3
"""clone_schemas.py SOCKET SOURCE=TARGET...   copy small databases, foreign keys included.

mariadb-dump is not in the client's core package, and CREATE TABLE ... LIKE loses foreign keys,
whose cascades Neutron needs. A schema copied takes seconds where its migrations take twenty.
"""
import sys

import pymysql

connection = pymysql.connect(unix_socket=sys.argv[1], user="root", autocommit=True, charset="utf8")
cursor = connection.cursor()
cursor.execute("set foreign_key_checks=0")
for word in sys.argv[2:]:
    source, target = word.split("=")
    cursor.execute('show full tables from `%s` where Table_type="BASE TABLE"' % source)
    tables = [row[0] for row in cursor.fetchall()]
    if not tables:
        sys.exit("%s has no tables" % source)
    cursor.execute("use `%s`" % target)
    for table in tables:
        cursor.execute("show create table `%s`.`%s`" % (source, table))
        create = cursor.fetchone()[1]
        cursor.execute(create.replace("CREATE TABLE", "CREATE TABLE IF NOT EXISTS", 1))
        cursor.execute("insert ignore into `%s`.`%s` select * from `%s`.`%s`" % (
            target, table, source, table))
    print(source, "->", target, len(tables), "tables")
