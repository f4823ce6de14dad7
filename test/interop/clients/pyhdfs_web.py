"""The Python package pyhdfs over WebHDFS."""
import hashlib
import os
import sys
from urllib.parse import urlparse

import pyhdfs

_, _, web, root, file = sys.argv
client = pyhdfs.HdfsClient(hosts=urlparse(web).netloc, user_name=os.environ["HADOOP_USER_NAME"])
data = open(file, "rb").read()
client.mkdirs(f"{root}/a")
client.create(f"{root}/a/first", data, blocksize=2**20, replication=3)
assert client.open(f"{root}/a/first", offset=3, length=1000).read() == data[3:1003]
client.append(f"{root}/a/first", b"and more")
status = client.get_file_status(f"{root}/a/first")
assert (status.length, status.blockSize, status.replication) == (len(data) + 8, 2**20, 3), status
client.create(f"{root}/kept", data, blocksize=2**20)
assert hashlib.sha256(client.open(f"{root}/kept").read()).digest() == hashlib.sha256(data).digest()
assert client.get_file_checksum(f"{root}/kept").length == 28
assert client.get_file_checksum(f"{root}/kept") != client.get_file_checksum(f"{root}/a/first")
assert client.listdir(root) == ["a", "kept"]
assert client.get_content_summary(f"{root}/a").fileCount == 1
client.create(f"{root}/a/snö ☃", b"snow")
assert client.open(f"{root}/a/snö ☃").read() == b"snow"
assert client.rename(f"{root}/a/snö ☃", f"{root}/a/zweite ♥")
assert [name for _, _, names in client.walk(f"{root}/a") for name in names] == ["first", "zweite ♥"]
client.create(f"{root}/a/left", data[:1_048_576], blocksize=2**20)
client.create(f"{root}/a/right", b"joined", blocksize=2**20)
client.concat(f"{root}/a/left", [f"{root}/a/right"])
assert client.open(f"{root}/a/left").read() == data[:1_048_576] + b"joined"
client.set_xattr(f"{root}/kept", "user.tag", b"blue", "CREATE")
assert client.get_xattrs(f"{root}/kept", "user.tag") == {"user.tag": "blue"}
assert client.list_xattrs(f"{root}/kept") == ["user.tag"]
client.remove_xattr(f"{root}/kept", "user.tag")
assert client.list_xattrs(f"{root}/kept") == []
client.set_times(f"{root}/kept", modificationtime=1_600_000_000_000)
assert client.get_file_status(f"{root}/kept").modificationTime == 1_600_000_000_000
assert client.get_home_directory().startswith("/user/")
try:
    client.open(f"{root}/nothing")
    raise SystemExit("a missing file was opened")
except pyhdfs.HdfsFileNotFoundException:
    pass
try:
    client.mkdirs(f"{root}/kept/below")
    raise SystemExit("a directory was made below a file")
except pyhdfs.HdfsHttpException as error:
    assert error.exception == "ParentNotDirectoryException", error.exception
assert client.delete(f"{root}/a", recursive=True)
