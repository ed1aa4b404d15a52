"""Lets Python's huggingface_hub use the hub of hub's tests and the cache that Darkroom wrote.

Run with huggingface_hub 0.36.0 and filelock 4.3.1 on Linux, after `mvn test-compile -pl hub -am`:
    java -cp hub/target/test-classes:hub/target/classes:common/target/classes:\
testing/target/classes:JACKSON:JUNIT \
        dev.darkroom.hub.HubExchange NEW_FOLDER 1000000000 python tests/oracle/hub.py
It prints what holds, and how long both take for so many bytes; 0 leaves the measurement out.
JACKSON and JUNIT stand for the jars of jackson-databind and of junit-jupiter-api.
"""

import os
import sys

what, path, endpoint = sys.argv[1:4]
os.environ["HF_ENDPOINT"] = endpoint
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
if what == "read":
    os.environ["HF_HUB_OFFLINE"] = "1"

import huggingface_hub
from huggingface_hub.utils import WeakFileLock

ID = "org/tiny"

if what == "download":
    huggingface_hub.snapshot_download(ID, cache_dir=path, ignore_patterns=["*.md"])
elif what == "read":
    folder = huggingface_hub.snapshot_download(ID, cache_dir=path)
    for root, _, names in os.walk(folder):
        for name in names:
            file = os.path.relpath(os.path.join(root, name), folder)
            found = huggingface_hub.hf_hub_download(ID, file, cache_dir=path)
            assert os.path.getsize(found) > 0
    missing = huggingface_hub.try_to_load_from_cache(ID, "none.json", cache_dir=path)
    assert missing is huggingface_hub.file_download._CACHED_NO_EXIST, missing
    scan = huggingface_hub.scan_cache_dir(path)
    assert not scan.warnings, scan.warnings
    repo = next(iter(scan.repos))
    print(f"Python lists {repo.repo_id}, {repo.nb_files} files, {repo.size_on_disk} bytes,"
          f" refs {sorted(repo.refs)}")
elif what == "lock":
    import filelock
    try:
        with WeakFileLock(path, timeout=1):
            pass
    except filelock.Timeout:
        sys.exit(3)
elif what == "hold":
    import time
    with WeakFileLock(path):
        print("held", flush=True)
        time.sleep(2)
