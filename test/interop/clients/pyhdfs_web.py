"""The Python package pyhdfs over WebHDFS."""
import sys
from urllib.parse import urlparse

import pyhdfs

_, _, web, root, file = sys.argv
client = pyhdfs.HdfsClient(hosts=urlparse(web).netloc, user_name="root")
data = open(file, "rb").read()
client.mkdirs(f"{root}/a")
client.create(f"{root}/a/first", data, blocksize=2**20, replication=3)
assert client.open(f"{root}/a/first", offset=3, length=1000).read() == data[3:1003]
client.append(f"{root}/a/first", b"and more")
assert client.get_file_status(f"{root}/a/first").length == len(data) + 8
client.create(f"{root}/kept", data)
assert client.open(f"{root}/kept").read() == data
assert client.get_file_checksum(f"{root}/kept").length == 28
assert client.listdir(root) == ["a", "kept"]
assert client.get_content_summary(f"{root}/a").fileCount == 1
client.set_xattr(f"{root}/kept", "user.tag", b"blue", "CREATE")
assert client.get_xattrs(f"{root}/kept", "user.tag")["user.tag"] in (b"blue", "blue")
client.remove_xattr(f"{root}/kept", "user.tag")
try:
    client.open(f"{root}/nothing")
    raise SystemExit("a missing file was opened")
except pyhdfs.HdfsFileNotFoundException:
    pass
assert client.delete(f"{root}/a", recursive=True)
