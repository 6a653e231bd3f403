"""The cache of huggingface_hub from Python's side.

    python hub_cache.py download CACHE REPO FILE...    # from HF_ENDPOINT
    python hub_cache.py read CACHE REPO FILE...        # without the network

Prints the SHA-256 of each file as JSON, with the version of huggingface_hub.
"""

import hashlib
import json
import os
import sys

os.environ["HF_HUB_DISABLE_XET"] = "1"
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"

import huggingface_hub  # noqa: E402  (reads the environment)

command, cache, repository, *files = sys.argv[1:]
digests = {}
for file in files:
    path = huggingface_hub.hf_hub_download(repository, file, cache_dir=cache, local_files_only=command == "read")
    with open(path, "rb") as f:
        digests[file] = hashlib.sha256(f.read()).hexdigest()
print(json.dumps({"version": huggingface_hub.__version__, "digests": digests}))
