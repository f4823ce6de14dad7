"""hdfs-native: a Hadoop client in Rust, here by its Python package."""
import sys

from hdfs_native import Client, WriteOptions

_, hdfs, _, root, file = sys.argv
client = Client(hdfs)
data = open(file, "rb").read()
client.mkdirs(f"{root}/a", 0o755, True)
with client.create(f"{root}/a/first", WriteOptions(block_size=2**20, replication=3)) as out:
    out.write(data)
assert client.get_file_info(f"{root}/a/first").length == len(data)
with client.read(f"{root}/a/first") as back:
    assert back.read() == data
    back.seek(1_000_000)
    assert back.read(5000) == data[1_000_000:1_005_000]
with client.append(f"{root}/a/first") as more:
    more.write(b"and more")
with client.read(f"{root}/a/first") as back:
    assert back.read() == data + b"and more"
assert [status.path.rsplit("/", 1)[1] for status in client.list_status(root, True) if not status.isdir] == ["first"]
with client.create(f"{root}/a/snö ☃") as out:
    out.write(b"snow")
with client.read(f"{root}/a/snö ☃") as back:
    assert back.read() == b"snow"
client.set_permission(f"{root}/a/first", 0o640)
client.set_times(f"{root}/a/first", 1_600_000_000_000, 1_600_000_000_000)
assert client.get_file_info(f"{root}/a/first").modification_time == 1_600_000_000_000
client.set_replication(f"{root}/a/first", 2)
assert client.get_content_summary(root).file_count == 2
with client.create(f"{root}/kept", WriteOptions(block_size=2**20)) as out:
    out.write(data)
client.rename(f"{root}/a/first", f"{root}/a/second", overwrite=False)
assert client.delete(f"{root}/a", True)
try:
    client.get_file_info(f"{root}/a")
    raise SystemExit("a deleted directory is there")
except FileNotFoundError:
    pass
