"""metrics.py FILE KEY... : prints these members of each line of metrics that has them.

SPDX-License-Identifier: Apache-2.0
"""
import json
import sys

for line in open(sys.argv[1], encoding="utf-8"):
    update = json.loads(line)
    for key in sys.argv[2:]:
        if key in update:
            print("update", update["update"], key, update[key])
