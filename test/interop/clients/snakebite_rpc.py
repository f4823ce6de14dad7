"""snakebite-py3: a Hadoop RPC client in pure Python."""
import sys
from urllib.parse import urlparse

from snakebite.client import Client

_, hdfs, web, root, file = sys.argv
at = urlparse(hdfs)
client = Client(at.hostname, at.port, effective_user="root", use_trash=False)
data = open(file, "rb").read()
assert all(made["result"] for made in client.mkdir([f"{root}/a/b"], create_parent=True))
assert all(made["result"] for made in client.touchz([f"{root}/a/empty"]))
names = sorted(entry["path"] for entry in client.ls([f"{root}/a"]))
assert names == [f"{root}/a/b", f"{root}/a/empty"], names
assert client.stat([f"{root}/a/empty"])["length"] == 0
assert all(done["result"] for done in client.chmod([f"{root}/a/empty"], 0o640))
assert client.stat([f"{root}/a/empty"])["permission"] == 0o640
assert next(client.count([root]))["fileCount"] == 1
assert client.df()["capacity"] > 0
assert client.serverdefaults()["bytesPerChecksum"] == 512
assert all(done["result"] for done in client.rename([f"{root}/a/empty"], f"{root}/a/moved"))
assert client.test(f"{root}/a/moved", exists=True)
# Bytes that another client wrote.
import requests

made = requests.put(f"{web}/webhdfs/v1{root}/kept?op=CREATE&user.name=root&blocksize=1048576", data=data)
assert made.status_code == 201, made.text
assert b"".join(b"".join(part) for part in client.cat([f"{root}/kept"], check_crc=True)) == data
assert all(done["result"] for done in client.delete([f"{root}/a"], recurse=True))
