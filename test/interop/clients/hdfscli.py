"""The Python package hdfs (HdfsCLI) over WebHDFS: what Airflow's provider uses."""
import os
import sys
import tempfile

from hdfs import InsecureClient
from hdfs.util import HdfsError

_, _, web, root, file = sys.argv
client = InsecureClient(web, user="root")
data = open(file, "rb").read()
client.makedirs(f"{root}/a", permission=750)
assert client.status(f"{root}/a")["permission"] == "750"
client.upload(f"{root}/a", file, n_threads=2)
name = os.path.basename(file)
with client.read(f"{root}/a/{name}", offset=1_000_000, length=5000) as part:
    assert part.read() == data[1_000_000:1_005_000]
client.write(f"{root}/a/lines", data="one\n", encoding="utf-8")
client.write(f"{root}/a/lines", data="two\n", encoding="utf-8", append=True)
with client.read(f"{root}/a/lines", encoding="utf-8", delimiter="\n") as lines:
    assert [line for line in lines if line] == ["one", "two"]
assert client.checksum(f"{root}/a/{name}")["algorithm"].startswith("MD5-of-")
assert client.content(f"{root}/a")["fileCount"] == 2
assert sorted(client.list(f"{root}/a")) == sorted([name, "lines"])
client.rename(f"{root}/a/{name}", f"{root}/kept")
client.set_replication(f"{root}/kept", 2)
client.set_permission(f"{root}/kept", 640)
client.set_times(f"{root}/kept", access_time=1_600_000_000_000, modification_time=1_600_000_000_000)
assert client.status(f"{root}/kept")["modificationTime"] == 1_600_000_000_000
with tempfile.TemporaryDirectory() as work:
    client.download(f"{root}/kept", f"{work}/back", n_threads=2)
    assert open(f"{work}/back", "rb").read() == data
try:
    client.status(f"{root}/nothing")
    raise SystemExit("a missing file has a status")
except HdfsError as error:
    assert error.exception == "FileNotFoundException", error.exception
assert client.delete(f"{root}/a", recursive=True)
assert not client.delete(f"{root}/a")
