"""snakebite-py3: a Hadoop RPC client in pure Python. It reads and names, and makes empty files only."""
import hashlib
import os
import sys
import tempfile
from urllib.parse import urlparse

import requests
from snakebite.client import Client
from snakebite.errors import FileNotFoundException

_, hdfs, web, root, file = sys.argv
at, user = urlparse(hdfs), os.environ["HADOOP_USER_NAME"]
client = Client(at.hostname, at.port, effective_user=user, use_trash=False)
data = open(file, "rb").read()
digest = hashlib.sha256(data).digest()
assert all(made["result"] for made in client.mkdir([f"{root}/a/b"], create_parent=True))
assert all(made["result"] for made in client.touchz([f"{root}/a/empty", f"{root}/a/snö ☃"]))
names = sorted(entry["path"] for entry in client.ls([f"{root}/a"]))
assert names == [f"{root}/a/b", f"{root}/a/empty", f"{root}/a/snö ☃"], names
assert client.stat([f"{root}/a/empty"])["length"] == 0
assert all(done["result"] for done in client.chmod([f"{root}/a/empty"], 0o640))
assert client.stat([f"{root}/a/empty"])["permission"] == 0o640
assert next(client.count([root]))["fileCount"] == 2
assert client.df()["capacity"] > 0
assert client.serverdefaults()["bytesPerChecksum"] == 512
assert all(done["result"] for done in client.setrep([f"{root}/a/empty"], 2))
assert all(done["result"] for done in client.rename([f"{root}/a/empty"], f"{root}/a/moved"))
client.rename2(f"{root}/a/moved", f"{root}/a/b/moved")
assert client.test(f"{root}/a/b/moved", exists=True, zero_length=True)

# Bytes that another client wrote.
made = requests.put(
    f"{web}/webhdfs/v1{root}/kept?op=CREATE&user.name={user}&blocksize=1048576&replication=3", data=data, timeout=60
)
assert made.status_code == 201, made.text
read = b"".join(b"".join(part) for part in client.cat([f"{root}/kept"], check_crc=True))
assert hashlib.sha256(read).digest() == digest
assert next(client.tail(f"{root}/kept", tail_length=1000)) == data[-1000:]
with tempfile.TemporaryDirectory() as work:
    assert all(done["result"] for done in client.copyToLocal([f"{root}/kept"], f"{work}/back", check_crc=True))
    assert hashlib.sha256(open(f"{work}/back", "rb").read()).digest() == digest
assert next(client.du([f"{root}/kept"]))["length"] == len(data)
assert all(done["result"] for done in client.delete([f"{root}/a"], recurse=True))
try:
    client.stat([f"{root}/a"])
    raise SystemExit("a deleted directory is there")
except FileNotFoundException:
    pass
