"""The Python package hdfs (HdfsCLI) over WebHDFS: what Airflow's provider uses."""
import hashlib
import os
import sys
import tempfile

from hdfs import InsecureClient
from hdfs.util import HdfsError

_, _, web, root, file = sys.argv
client = InsecureClient(web, user=os.environ["HADOOP_USER_NAME"])
data = open(file, "rb").read()
digest = hashlib.sha256(data).digest()
client.makedirs(f"{root}/a", permission=750)
assert client.status(f"{root}/a")["permission"] == "750"
name = os.path.basename(file)
client.upload(f"{root}/a", file, n_threads=2, blocksize=2**20, replication=3)
status = client.status(f"{root}/a/{name}")
assert (status["length"], status["blockSize"], status["replication"]) == (len(data), 2**20, 3), status
with client.read(f"{root}/a/{name}") as whole:
    assert hashlib.sha256(whole.read()).digest() == digest
with client.read(f"{root}/a/{name}", offset=1_000_000, length=100_000) as part:
    assert part.read() == data[1_000_000:1_100_000]

# A local tree, by several threads, into a directory that is there already.
with tempfile.TemporaryDirectory() as work:
    os.makedirs(f"{work}/tree/deep")
    for number in range(6):
        with open(f"{work}/tree/deep/snö ☃ {number}", "wb") as out:
            out.write(data[number * 1000 : number * 3000])
    client.upload(f"{root}/a", f"{work}/tree", n_threads=3)
    client.download(f"{root}/a/tree", f"{work}/back", n_threads=3)
    for number in range(6):
        with open(f"{work}/back/deep/snö ☃ {number}", "rb") as back:
            assert back.read() == data[number * 1000 : number * 3000]

client.write(f"{root}/a/lines", data="one\n", encoding="utf-8")
client.write(f"{root}/a/lines", data="two\n", encoding="utf-8", append=True)
with client.read(f"{root}/a/lines", encoding="utf-8", delimiter="\n") as lines:
    assert [line for line in lines if line] == ["one", "two"]
with client.write(f"{root}/a/streamed") as writer:
    for at in range(0, 1_500_000, 100_000):
        writer.write(data[at : at + 100_000])
with client.read(f"{root}/a/streamed") as back:
    assert back.read() == data[:1_500_000]
checksum = client.checksum(f"{root}/a/{name}")
assert checksum["algorithm"].startswith("MD5-of-") and checksum != client.checksum(f"{root}/a/streamed")
assert client.content(f"{root}/a")["fileCount"] == 9
assert sorted(client.list(f"{root}/a")) == sorted([name, "lines", "streamed", "tree"])
assert sum(len(files) for _, _, files in client.walk(root)) == 9
client.rename(f"{root}/a/{name}", f"{root}/kept")
client.set_replication(f"{root}/kept", 2)
client.set_permission(f"{root}/kept", 640)
client.set_times(f"{root}/kept", access_time=1_600_000_000_000, modification_time=1_600_000_000_000)
status = client.status(f"{root}/kept")
assert (status["replication"], status["permission"], status["modificationTime"]) == (2, "640", 1_600_000_000_000), status
try:
    client.status(f"{root}/nothing")
    raise SystemExit("a missing file has a status")
except HdfsError as error:
    assert error.exception == "FileNotFoundException", error.exception
try:
    client.write(f"{root}/kept", data=b"over")
    raise SystemExit("a file was overwritten without being asked for")
except HdfsError as error:
    assert error.exception == "FileAlreadyExistsException", error.exception
assert client.delete(f"{root}/a", recursive=True)
assert not client.delete(f"{root}/a")
