"""The static files that nginx, nghttpd and h2o all serve."""

from pathlib import Path

SMALL = b"hello, world\n"
KIB = bytes(i % 251 for i in range(1024))
TEXT = b"".join(b"%06d the quick brown fox jumps over the lazy dog\n" % i for i in range(400))
BIG = 100 * 1000 * 1000


def write_files(directory):
    """Fills `directory` (made when missing) and returns it as a str."""
    root = Path(directory)
    root.mkdir(parents=True, exist_ok=True)
    (root / "index.html").write_bytes(SMALL)
    (root / "small").write_bytes(SMALL)
    (root / "1k").write_bytes(KIB)
    (root / "64k").write_bytes(KIB * 64)
    (root / "1m").write_bytes(KIB * 1024)
    (root / "gzip").write_bytes(TEXT)
    (root / "slow").write_bytes(KIB * 1024)
    (root / "trailers").write_bytes(SMALL)
    with open(root / "100m", "wb") as big:
        big.truncate(BIG)
    return str(root)
