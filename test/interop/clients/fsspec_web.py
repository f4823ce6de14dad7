"""fsspec over WebHDFS: what pandas and dask use."""
import hashlib
import os
import sys
from urllib.parse import urlparse

import fsspec
import pandas

_, _, web, root, file = sys.argv
at, user = urlparse(web), os.environ["HADOOP_USER_NAME"]
fs = fsspec.filesystem("webhdfs", host=at.hostname, port=at.port, user=user)
data = open(file, "rb").read()
digest = hashlib.sha256(data).digest()
fs.makedirs(f"{root}/a", exist_ok=True)
with fs.open(f"{root}/a/first", "wb", block_size=2**20, replication=3) as out:
    out.write(data)
assert fs.info(f"{root}/a/first")["size"] == len(data)
with fs.open(f"{root}/a/first", "rb", block_size=2**18) as back:
    back.seek(1_000_000)
    assert back.read(100_000) == data[1_000_000:1_100_000]
assert hashlib.sha256(fs.cat_file(f"{root}/a/first")).digest() == digest
assert fs.tail(f"{root}/a/first", 8) == data[-8:]
fs.pipe_file(f"{root}/a/snö ☃", b"snow")
assert sorted(name.rsplit("/", 1)[1] for name in fs.ls(f"{root}/a", detail=False)) == ["first", "snö ☃"]
assert fs.cat_file(f"{root}/a/snö ☃") == b"snow"
assert len(fs.find(root)) == 2 and fs.glob(f"{root}/a/f*") == [f"{root}/a/first"]
summary = fs.content_summary(root)
assert summary["fileCount"] == 2 and summary["spaceConsumed"] == 3 * summary["length"], summary
fs.put_file(file, f"{root}/kept")
fs.put_file(file, f"{root}/a/same")
key = fs.ukey(f"{root}/kept")
assert key["algorithm"].startswith("MD5-of-") and key == fs.ukey(f"{root}/a/same") != fs.ukey(f"{root}/a/snö ☃")
fs.chmod(f"{root}/a/same", "640")
assert fs.info(f"{root}/a/same")["permission"] == "640"
fs.mv(f"{root}/a/first", f"{root}/a/second")
assert not fs.exists(f"{root}/a/first") and fs.exists(f"{root}/a/second")

table = pandas.DataFrame({"id": range(1000), "name": [f"snö {i}" for i in range(1000)]})
table.to_csv(f"webhdfs://{at.netloc}{root}/a/table.csv", index=False, storage_options={"user": user})
assert pandas.read_csv(f"webhdfs://{at.netloc}{root}/a/table.csv", storage_options={"user": user}).equals(table)

fs.rm(f"{root}/a", recursive=True)
assert not fs.exists(f"{root}/a")
