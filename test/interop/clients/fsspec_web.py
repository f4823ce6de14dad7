"""fsspec over WebHDFS: what pandas and dask use."""
import sys
from urllib.parse import urlparse

import fsspec

_, _, web, root, file = sys.argv
at = urlparse(web)
fs = fsspec.filesystem("webhdfs", host=at.hostname, port=at.port, user="root")
data = open(file, "rb").read()
fs.makedirs(f"{root}/a", exist_ok=True)
with fs.open(f"{root}/a/first", "wb", block_size=2**20) as out:
    out.write(data)
assert fs.info(f"{root}/a/first")["size"] == len(data)
with fs.open(f"{root}/a/first", "rb", block_size=2**18) as back:
    back.seek(1_000_000)
    assert back.read(5000) == data[1_000_000:1_005_000]
assert fs.cat_file(f"{root}/a/first") == data
assert fs.tail(f"{root}/a/first", 8) == data[-8:]
fs.pipe_file(f"{root}/a/snö ☃", b"snow")
assert sorted(name.rsplit("/", 1)[1] for name in fs.ls(f"{root}/a", detail=False)) == ["first", "snö ☃"]
assert fs.cat_file(f"{root}/a/snö ☃") == b"snow"
fs.put_file(file, f"{root}/kept")
assert fs.ukey(f"{root}/kept")
fs.mv(f"{root}/a/first", f"{root}/a/second")
assert not fs.exists(f"{root}/a/first")
fs.rm(f"{root}/a", recursive=True)
assert not fs.exists(f"{root}/a")
