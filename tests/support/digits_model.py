"""digits_model.py - a small model that chats: the embedded one without the mark that it knows only environments.

What it says is digits and signs. Used by tests of troupe serve that need tokens of a chat. SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import shutil


def make(source, folder):
    """source: the root of the project."""
    shutil.copytree(os.path.join(source, "models/embedded/trained"), folder)
    path = os.path.join(folder, "config.json")
    with open(path, encoding="utf-8") as f:
        config = json.load(f)
    del config["troupe"]
    with open(path, "w", encoding="utf-8") as f:
        json.dump(config, f)
