"""hdfs-native: a Hadoop client in Rust, here by its Python package and as fsspec's hdfs://."""
import hashlib
import sys

import fsspec
from hdfs_native import Client, WriteOptions

_, hdfs, _, root, file = sys.argv
client = Client(hdfs)
data = open(file, "rb").read()
digest = hashlib.sha256(data).digest()
client.mkdirs(f"{root}/a", 0o755, True)
with client.create(f"{root}/a/first", WriteOptions(block_size=2**20, replication=3)) as out:
    for at in range(0, len(data), 700_001):
        out.write(data[at : at + 700_001])
status = client.get_file_info(f"{root}/a/first")
assert (status.length, status.blocksize, status.replication) == (len(data), 2**20, 3), status
with client.read(f"{root}/a/first") as back:
    assert hashlib.sha256(back.read()).digest() == digest
    back.seek(1_000_000)
    assert back.read(100_000) == data[1_000_000:1_100_000]
    assert back.read_range(2_097_000, 1000) == data[2_097_000:2_098_000]
# Three appends: into the middle of a chunk, to its end, and over the end of a block.
longer = data
for more in (b"and more", b"x" * (512 - (len(data) + 8) % 512), data[:1_200_000]):
    with client.append(f"{root}/a/first") as out:
        out.write(more)
    longer += more
with client.read(f"{root}/a/first") as back:
    assert back.read() == longer
assert [status.path.rsplit("/", 1)[1] for status in client.list_status(root, True) if not status.isdir] == ["first"]
with client.create(f"{root}/a/snö ☃") as out:
    out.write(b"snow")
    out.hsync()
with client.read(f"{root}/a/snö ☃") as back:
    assert back.read() == b"snow"
assert len(client.glob_status(f"{root}/a/s*")) == 1
client.set_permission(f"{root}/a/first", 0o640)
client.set_times(f"{root}/a/first", 1_600_000_000_000, 1_600_000_000_000)
status = client.get_file_info(f"{root}/a/first")
assert (status.modification_time, status.permission & 0o777) == (1_600_000_000_000, 0o640), status
client.set_replication(f"{root}/a/first", 2)
assert client.get_content_summary(root).file_count == 2
assert client.recover_lease(f"{root}/a/first")
with client.create(f"{root}/kept", WriteOptions(block_size=2**20)) as out:
    out.write(data)
try:
    client.create(f"{root}/kept")
    raise SystemExit("a file was overwritten without being asked for")
except FileExistsError:
    pass
client.rename(f"{root}/a/first", f"{root}/a/second", overwrite=False)
fs, _ = fsspec.core.url_to_fs(f"{hdfs}{root}")
assert fs.cat_file(f"{hdfs}{root}/a/second") == longer
assert sorted(entry["name"].rsplit("/", 1)[1] for entry in fs.ls(f"{hdfs}{root}", detail=True)) == ["a", "kept"]
assert client.delete(f"{root}/a", True)
try:
    client.get_file_info(f"{root}/a")
    raise SystemExit("a deleted directory is there")
except FileNotFoundError:
    pass
