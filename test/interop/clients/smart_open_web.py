"""smart_open over WebHDFS: streams of any length."""
import sys
from urllib.parse import urlparse

from smart_open import open as smart

_, _, web, root, file = sys.argv
data = open(file, "rb").read()
uri = f"webhdfs://root@{urlparse(web).netloc}{root}/kept"
with smart(uri, "wb") as out:
    for at in range(0, len(data), 300_000):
        out.write(data[at : at + 300_000])
with smart(uri, "rb") as back:
    assert back.read() == data
with smart(f"webhdfs://root@{urlparse(web).netloc}{root}/lines.gz", "w") as out:
    out.write("one\ntwo\n")
with smart(f"webhdfs://root@{urlparse(web).netloc}{root}/lines.gz") as back:
    assert back.read().splitlines() == ["one", "two"]
