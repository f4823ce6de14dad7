"""smart_open over WebHDFS: streams of any length."""
import hashlib
import os
import sys
from urllib.parse import urlparse

from smart_open import open as smart

_, _, web, root, file = sys.argv
data = open(file, "rb").read()
base = f"webhdfs://{os.environ['HADOOP_USER_NAME']}@{urlparse(web).netloc}{root}"
# A part for each request, appended to what is there: parts end where they end, not at blocks or chunks.
with smart(f"{base}/kept", "wb", transport_params={"min_part_size": 900_000}) as out:
    for at in range(0, len(data), 300_001):
        out.write(data[at : at + 300_001])
with smart(f"{base}/kept", "rb") as back:
    assert hashlib.sha256(back.read()).digest() == hashlib.sha256(data).digest()
with smart(f"{base}/lines.gz", "w") as out:
    out.write("one\nsnö ☃\n")
with smart(f"{base}/lines.gz") as back:
    assert back.read().splitlines() == ["one", "snö ☃"]
