#!/usr/bin/python3
"""rings.py FOLDER DEVICE NAME=PORT...   write Swift's rings: one replica on one device."""
import os
import sys

from swift.common.ring import RingBuilder

folder, device = sys.argv[1:3]
for word in sys.argv[3:]:
    name, port = word.split("=")
    builder = RingBuilder(4, 1, 1)  # 2^4 partitions, one replica, moved at most hourly
    builder.add_dev({
        "region": 1, "zone": 1, "device": device, "weight": 100.0, "meta": "",
        "ip": "127.0.0.1", "port": int(port),
        "replication_ip": "127.0.0.1", "replication_port": int(port),
    })
    builder.rebalance()
    builder.save(os.path.join(folder, name + ".builder"))
    builder.get_ring().save(os.path.join(folder, name + ".ring.gz"))
