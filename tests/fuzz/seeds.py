#!/usr/bin/env python3
"""Writes the first inputs of each fuzz target: corpus/WHAT/seed-NAME.

    python3 tests/fuzz/seeds.py [DIRECTORY]

They are the forms that the RFCs name, the behaviours of tests/support, and for the targets that read lists of operations
(h2_frames, client) some ordinary conversations.  Runs of the fuzzer add to them; see tests/fuzz/README.md.
"""

import gzip
import os
import struct
import sys
import zlib

SEEDS = {}


def seed(what, name, *parts):
    SEEDS[what, name] = b"".join(part if isinstance(part, bytes) else part.encode("utf-8") for part in parts)


# ---- text ----------------------------------------------------------------------------------------------------------

URLS = """https://example.com/
http://user:pass@Example.COM:80/a/b/../c/./d?x=1&y=%2f#frag
HTTPS://[2001:DB8::1]:8443/p
http://[::ffff:192.0.2.1]/
http://192.0.2.1:65535/
http://bücher.example/straße?q=ü#é
http://xn--bcher-kva.example/
http://faß.de/
http://example.com:0/
http://example.com:99999/
http://a.b.c.d.e/%zz%41%c3%a9
//host/path
/abs/path?query
?query
#frag
mailto:user@example.com
ws://host:80/
wss://host:443/x
http://host/a|b{c}d"e<f>g\\h^i`j
http://host?q
http://host#f
http:///path
http://%41.example/
http://example.com./
http://a..b/
http://-a.example/
http://[fe80::1%25eth0]/
file:///etc/passwd
http://0x7f.1/
http://1.2.3/
http://host/.././..//a//..
http://h:/
""".splitlines()

JOINS = [("http://a/b/c/d;p?q", ref) for ref in
         "g:h g ./g g/ /g //g ?y g?y #s g#s g?y#s ;x g;x . ./ .. ../ ../g ../.. ../../g ../../../g /./g /../g g. .g ./../g "
         "g/./h g;x=1/../y g?y/../x http:g //[::1]:81/x //user@h".split() + [""]]

NO_PROXY = [
    ("*", "http://example.com/"), ("example.com", "http://www.example.com/"), (".example.com", "http://example.com/"),
    ("*.example.com,localhost", "http://a.example.com:81/"), ("192.0.2.0/24,::1", "http://192.0.2.77/"),
    ("2001:db8::/32", "http://[2001:db8::5]/"), ("[::1]:80,127.0.0.1:81", "http://[::1]/"),
    ("http://example.com", "http://example.com/"), ("all://", "https://x/"), ("example.com:443", "https://EXAMPLE.com./"),
    (" a , ,b,", "http://b/"), ("10.0.0.0/33,10.0.0.0/-1,/", "http://10.0.0.1/"), ("bücher.example", "http://bücher.example/"),
    ("xn--bcher-kva.example", "http://bücher.example/"), ("http://proxy:3128", "http://x/"), ("::ffff:1.2.3.4/96", "http://1.2.3.4/"),
]

HEADERS = {
    "add": "+Content-Type:text/html\n+X:  a b \n+Set-Cookie:a=b\n+set-cookie:c=d\n",
    "set": "+A:1\n+B:2\n+a:3\n=A:4\n-b:\n=New:5\n",
    "bad": "+A B:1\n+:x\n+X:a\rb\n+X\x00:1\n+Y:\x00\n+é:1\n+Z:é\n",
    "copy": "+A:1\n@:\n+B:2\n&:\n-a:\n0:\n+C:3\n",
    "known": "+Host:h\n+Content-Length:5\n+Transfer-Encoding:chunked\n+Connection:close\n+Authorization:Basic x\n+TE:trailers\n",
    "long": "+" + "N" * 300 + ":" + "v" * 3000 + "\n-" + "n" * 300 + ":\n",
    "empty": "+A:\n+B: \n+C:\t\t\n=A:x\n",
}

CONNECT = {
    "ok": "HTTP/1.1 200 Connection established\r\n\r\nbytes behind",
    "fields": "HTTP/1.0 200 OK\r\nVia: 1.1 p\r\nContent-Length: 5\r\n\r\nhello",
    "interim": "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 H\r\nA: b\r\n\r\nHTTP/1.1 204 \r\n\r\n",
    "auth": "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\nContent-Length: 2\r\n\r\nno",
    "refused": "HTTP/1.1 503 Service\x01 Unavailable\r\n\r\n",
    "bare-lf": "HTTP/1.1 200 OK\nA: b\n\nx",
    "mixed": "HTTP/1.1 200 OK\r\n\nx",
    "101": "HTTP/1.1 101 Switching Protocols\r\n\r\n",
    "nul": "HTTP/1.1 200 O\0K\r\n\r\n",
    "no-colon": "HTTP/1.1 200 OK\r\nnonsense\r\n\r\n",
    "space": "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
    "http2": "HTTP/2 200\r\n\r\n",
    "cut": "HTTP/1.1 200 OK\r\nVia: 1.1",
    "not-http": "SSH-2.0-OpenSSH_9.2\r\n",
    "short": "HTTP/1.1 200",
    "endless": "HTTP/1.1 200 OK\r\n" + "A: " + "b" * 17000,
}

H1 = {
    "length": "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "chunked": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nT: v\r\n\r\n",
    "close": "HTTP/1.0 200 OK\r\n\r\nuntil the end",
    "interim": "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "204": "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
    "304": "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: \"x\"\r\n\r\n",
    "upgrade": "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n\x81\x05hello",
    "early-413": "HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig",
    "two": "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na\xffHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nb",
    "keep-alive": "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
    "double-length": "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    "same-length": "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello",
    "both": "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "te-gzip": "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "te-twice": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "bare-lf": "HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
    "bare-cr": "HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n",
    "folded": "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
    "space-colon": "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
    "bad-chunk": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloX\r\n",
    "huge-chunk": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff1\r\n",
    "neg-chunk": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n",
    "many-fields": "HTTP/1.1 200 OK\r\n" + "".join("X-%d: v\r\n" % i for i in range(200)) + "\r\n",
    "http09": "<html>hello</html>",
    "status-99": "HTTP/1.1 99 Low\r\n\r\n",
    "status-text": "HTTP/1.1 2x0 OK\r\n\r\n",
    "no-reason": "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n",
    "idle-bytes": "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 408 Timeout\r\n\r\n",
    "417": "HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n",
    "truncated": "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello",
    "empty-lines": "\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "long-ext": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;" + "e" * 1100 + "\r\na\r\n0\r\n\r\n",
}


COOKIES = {
    "plain": "@http://www.example.com/a/b\n+a=1\n+b=2; Path=/a\n+c=3; Domain=example.com\n?\n@https://other.example.com/\n?",
    "secure": "@https://example.com/\n+__Secure-a=1; Secure\n+__Host-b=2; Secure; Path=/\n+c=3; Secure; HttpOnly\n?\n@http://example.com/\n+c=4\n?",
    "expires": "@http://example.com/\n+a=1; Max-Age=5\n+b=2; Expires=Wed, 21 Oct 2099 07:28:00 GMT\n?\n>xxxxxxxx\n?\n+b=; Max-Age=0\n?",
    "public": "@http://www.example.co.uk/\n+a=1; Domain=co.uk\n+b=2; Domain=.example.co.uk\n+c=3; Domain=www.example.co.uk\n?",
    "odd": "@http://h/\n+=x\n+x\n+;\n+a==b=\n+ a = b ; Path = /x ; unknown\n+a=\"q\"\n+a=\x01\n+a=1; SameSite=None; SameSite=Lax\n?",
    "address": "@http://192.0.2.1/\n+a=1; Domain=2.1\n+b=2; Domain=192.0.2.1\n@http://[::1]/\n+c=3\n?",
    "dates": "DWed, 09 Jun 2021 10:18:14 GMT\nDWednesday, 09-Jun-21 10:18:14 GMT\nDWed Jun  9 10:18:14 2021\nD1 1 1\nD31 Feb 2021 00:00:00\n"
             "D09-Jun-1600 1:2:3\nD99 Jun 70 23:59:60\nD29 Feb 2000 0:0:0x",
    "netscape": "@https://sub.example.com/p/q\nL.example.com\tTRUE\t/\tFALSE\t1900000000\tname\tvalue\nL#HttpOnly_example.com\tFALSE\t/p\tTRUE\t0\ta\tb\n"
                "L# comment\nLbroken\tline\n?",
    "replaces": "@http://example.com/\n+a=1\n+a=2; Path=/\n+a=3; Domain=example.com\n?\n+a=4; Path=/x\n@http://example.com/x/y\n?",
}

ADDRESS = {
    "public": (2, "", "127.0.0.1\n192.0.2.1\n8.8.8.8\n::1\n2606:4700::1\n::ffff:10.0.0.1\n64:ff9b::a00:1\n2002:a00:1::\n0.0.0.0\n::\nunix"),
    "allow": (1, "+10.0.0.0/8\n-10.1.0.0/16\n+10.1.2.3", "10.2.3.4\n10.1.1.1\n10.1.2.3\n::ffff:10.1.2.3"),
    "deny": (0, "-0.0.0.0/0\n+192.0.2.0/24\n-fe80::/10", "192.0.2.9\n1.1.1.1\nfe80::1\n2001::5"),
    "tie": (0, "+1.2.3.4\n-1.2.3.4\n+1.2.3.4/32", "1.2.3.4\n1.2.3.5"),
    "bad": (0, "+1.2.3.4/33\n+1.2.3.4/24\n+::/129\n+x\n+1.2.3.4/\n+1.2.3.4/08\n-unix\n+::ffff:1.2.3.0/120", "unix\n1.2.3\n0x7f000001\n[::1]\nfe80::1%lo"),
    "mapped": (1, "+::ffff:0:0/96\n-::ffff:127.0.0.0/104", "127.0.0.1\n9.9.9.9\n::127.0.0.1\n2001:0:7f00:1::"),
}


SOCKS = {
    "open": (0, "0500" "05000001" "00000000" "0000" "6265796f6e64"), "password": (1, "0502" "0100" "05000003" "0461626364" "01bb" "78"),
    "v6": (4, "0500" "05000004" + "00" * 16 + "0050"), "none-fits": (0, "05ff"), "password-unasked": (0, "0502"), "bad-password": (1, "05020101"),
    "refused": (0, "0500" "05050001" "000000000000"), "refused-short": (0, "050005020001"), "version": (0, "0400"), "version-2": (0, "05000400"),
    "type": (0, "0500" "05000009" "000000"), "cut": (0, "0500050000"), "empty-name": (2, "0500" "05000003" "00" "0000" "7a"),
    "http": (0, b"HTTP/1.1 400 Bad\r\n\r\n".hex()),
}

DATES = """Sun, 06 Nov 1994 08:49:37 GMT
Sunday, 06-Nov-94 08:49:37 GMT
Sun Nov  6 08:49:37 1994
Sat, 29 Feb 2020 23:59:60 GMT
Mon, 29 Feb 2021 00:00:00 GMT
Thu, 01 Jan 1970 00:00:00 GMT
Fri, 31 Dec 9999 23:59:59 GMT
Thursday, 01-Jan-70 00:00:00 GMT
Sun, 6 Nov 1994 08:49:37 GMT
Sun, 06 Nov 1994 08:49:37 +0000
0
120
99999999999999999999
1.5
-1
 5""".splitlines()


DIGEST = [
    ('Digest realm="r@h", qop="auth, auth-int", algorithm=SHA-256, nonce="n", opaque="o", userhash=true, charset=UTF-8', 'nextnonce="m", qop=auth'),
    ('Digest realm="r", nonce="n", algorithm=MD5, Digest realm="r", nonce="n", algorithm=SHA-512-256-sess, qop=auth', 'rspauth="x"'),
    ('Basic realm="x", Digest realm=r, nonce=n, Bearer', ''), ("Negotiate YWJj==, NTLM", ""), (",, Digest realm=\"a\\\"b\\\\\", nonce=\"\" ,", "nextnonce=\"q\\\"\""),
    ('Digest realm="open', ''), ("Digest realm=r, nonce=n, qop=auth-int", "nextnonce=a, nextnonce=b"), ("Digest realm=r, nonce=n, stale=TRUE", "x"),
    ("Digest " + ", ".join("p%d=v" % i for i in range(30)), ""), ('Digest realm="", nonce="x", realm="y"', ""), ("Digest realm = r , nonce\t=\tn", "nextnonce = z"),
]


NETRC = [
    "machine example.com login a password b\ndefault login c password d\n", "machine h login \"a b\" password \"c\\\"d\"", "# comment\nmachine h\nlogin l\naccount x\npassword p",
    "macdef init\nput x\n\nmachine h login l password p", "machine h", "machine", "login x", "machine h login", "machine h login a password b machine h login c password d",
    "default login a password b machine h login c password d", "machine h password p", "machine h login a:b password c", "machine \"open", "\\", "unknown word",
]

MULTIPART = [
    b"\x00a::1\x00\x00b::2\x00", b"\x02file:name.txt:content\r\nof two lines", b"\x03cb:f:gives\x00\x07cb2:g:gives more\x00\x01bytes::x", b"",
    b"\x00na\"me\r\n::v\x00\x02f:\"quoted\".txt:--frontie\r\n--fronti", b"\x00x::--frontier--\x00", b"\x02frontier:x:y", b"\x03x:y:frontier", b"\x00:::\x00\x00::",
]


def text_seeds():
    for i, text in enumerate(NETRC):
        seed("netrc", "%02d" % i, text)
    for i, data in enumerate(MULTIPART):
        seed("multipart", "%02d" % i, bytes([i]), data)
    for i, (field, info) in enumerate(DIGEST):
        seed("digest", "%02d" % i, field, b"\0", info)
    for name, (how, data) in SOCKS.items():
        seed("socks", name, bytes([how, 3]), bytes.fromhex(data))
    for i, text in enumerate(DATES):
        seed("date", "%02d" % i, text)
    for name, text in COOKIES.items():
        seed("cookies", name, text.encode("latin-1"))
    for name, (base, rules, addresses) in ADDRESS.items():
        seed("address", name, bytes([base]), rules, b"\0", addresses)
    digest = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
    seed("pins", "one", "sha256/", digest)
    seed("pins", "curl", "sha256//", digest)
    seed("pins", "two", "sha256/", digest, "\nsha256/", digest)
    for i, bad in enumerate(("", "sha1/" + digest, "sha256/" + digest[:-1], "sha256/" + digest + "=", "sha256/" + digest[:-2] + "V=", digest)):
        seed("pins", "bad-%d" % i, bad)
    for i, url in enumerate(URLS):
        seed("url", "parse-%02d" % i, url)
    for i, (base, ref) in enumerate(JOINS):
        seed("url", "join-%02d" % i, base, b"\0", ref)
    for i, (entries, url) in enumerate(NO_PROXY):
        seed("noproxy", "list-%02d" % i, entries, b"\0", url)
    for name, text in HEADERS.items():
        seed("headers", name, text)
    for name, text in CONNECT.items():
        seed("connect", name, b"\x05", text.encode("latin-1"))
    for i, (name, text) in enumerate(H1.items()):
        seed("h1", name, bytes([0, i]), text.encode("latin-1"))
    for request, name in ((1, "304"), (8 | 16 | 32 | 2, "interim"), (8 | 2, "early-413"), (3, "length"), (5, "upgrade"),
                          (128, "two"), (8 | 16 | 32 | 6, "417"), (64, "length"), (8 | 64 | 2, "length")):
        seed("h1", "%s-to-%d" % (name, request), bytes([request, 7]), H1[name].encode("latin-1"))


# ---- content codings -----------------------------------------------------------------------------------------------

BROTLI = bytes.fromhex("1b4500509d0976ac0beb58cec39acc8c8d4e83b0cce5cd333cbd7c430b830d38700830d8279c75d880f3d8e2051759f75f21eaab12cda8531f6413"
                       "2e00")
BROTLI_ZEROS = bytes.fromhex("9bff083df82700e2b1402017a007")
# "hello hello hello", once with a checksum; made with the zstd tool
ZSTD = bytes.fromhex("28b52ffd04586500003068656c6c6f200100314a11a2ed1e0c")


def raw_deflate(data):
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def zstd_raw(data):
    """A frame of one raw block (RFC 8878 section 3.1.1), which needs no compressor."""
    return struct.pack("<I", 0xFD2FB528) + b"\x20" + bytes([len(data)]) + struct.pack("<I", len(data) << 3 | 1)[:3] + data


def coding_seeds():
    text = b"the quick brown fox jumps over the lazy dog, again and again"
    packed = gzip.compress(text, mtime=0)
    bodies = {
        "gzip": (0, packed), "gzip-two": (0, packed + packed), "gzip-zeros": (0, packed + bytes(20)), "gzip-junk": (0, packed + b"x"),
        "gzip-cut": (0, packed[:-5]), "gzip-crc": (0, packed[:-6] + bytes(6)), "zlib": (1, zlib.compress(text)),
        "raw": (1, raw_deflate(text)), "raw-zeros": (1, raw_deflate(bytes(300000))), "br": (2, BROTLI), "br-zeros": (2, BROTLI_ZEROS),
        "br-cut": (2, BROTLI[:20]), "zstd": (3, zstd_raw(text)), "zstd-two": (3, zstd_raw(text) * 2), "zstd-cut": (3, zstd_raw(text)[:9]),
        "zstd-skip": (3, struct.pack("<II", 0x184D2A50, 4) + b"skip" + zstd_raw(text)), "zstd-odd": (3, ZSTD),
        "gzip-deflate": (4, zlib.compress(packed)), "deflate-gzip": (5, gzip.compress(zlib.compress(text), mtime=0)),
        "br-gzip": (6, gzip.compress(BROTLI, mtime=0)), "zstd-gzip": (14, gzip.compress(zstd_raw(text), mtime=0)),
        "bomb": (0, gzip.compress(bytes(1000000), mtime=0)), "bomb-twice": (9, gzip.compress(gzip.compress(bytes(2000000), mtime=0), mtime=0)),
        "stored": (0, gzip.compress(text, 0, mtime=0)), "empty": (0, b""), "identity": (10, text), "unknown": (11, packed),
        "name": (0, b"\x1f\x8b\x08\x1c\0\0\0\0\0\3\x02\0xyname\0comment\0" + raw_deflate(text) + struct.pack("<II", zlib.crc32(text), len(text))),
        "pack-gzip": (0x80, text), "pack-zlib": (0x81, text * 9), "pack-raw": (0x82, bytes(1000)),
    }
    for i, (name, (which, body)) in enumerate(bodies.items()):
        seed("coding", name, bytes([which, i % 5, (i * 7) % 256]), body)


# ---- HTTP/2 --------------------------------------------------------------------------------------------------------

def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def literal(name, value):
    return bytes([0, len(name)]) + name.encode() + bytes([len(value)]) + value.encode()


def block(status, *fields):
    return literal(":status", str(status)) + b"".join(literal(*field) for field in fields)


def h2_seeds():
    ok = frame(1, 4, 1, block(200, ("content-length", "5")))
    frames = {
        "get": ok + frame(0, 1, 1, b"hello"),
        "indexed": frame(1, 4, 1, b"\x88\x5c\x01\x35") + frame(0, 1, 1, b"hello"),
        "padded": ok + frame(0, 9, 1, b"\x02hello\0\0"),
        "trailers": ok + frame(0, 0, 1, b"hello") + frame(1, 5, 1, literal("x-checksum", "abc")),
        "continuation": frame(1, 1, 1, block(204)[:5]) + frame(9, 4, 1, block(204)[5:]),
        "interim": frame(1, 4, 3, block(100)) + frame(1, 4, 3, block(103, ("link", "</a>"))) + frame(1, 5, 3, block(200)),
        "head": frame(1, 5, 5, block(200, ("content-length", "1000"))),
        "tunnel": frame(1, 4, 7, block(200)) + frame(0, 0, 7, b"through") + frame(0, 1, 7, b""),
        "upload-early": frame(1, 4, 9, block(413)) + frame(0, 1, 9, b"no"),
        "rst": frame(3, 0, 1, struct.pack(">I", 7)) + frame(3, 0, 3, struct.pack(">I", 8)) + frame(3, 0, 5, struct.pack(">I", 13)),
        "rst-no-error": frame(1, 5, 3, block(200)) + frame(3, 0, 3, struct.pack(">I", 0)),
        "goaway": frame(7, 0, 0, struct.pack(">II", 3, 0) + b"bye") + ok + frame(0, 1, 1, b"hello"),
        "goaway-twice": frame(7, 0, 0, struct.pack(">II", 0x7FFFFFFF, 0)) + frame(7, 0, 0, struct.pack(">II", 1, 11)),
        "ping": frame(6, 0, 0, b"12345678") + frame(6, 1, 0, b"87654321") + ok,
        "settings": frame(4, 0, 0, struct.pack(">HIHIHI", 3, 1, 4, 100, 5, 16384)) + frame(4, 1, 0),
        "window": frame(8, 0, 0, struct.pack(">I", 100000)) + frame(8, 0, 3, struct.pack(">I", 5)) + frame(8, 0, 3, struct.pack(">I", 0x7FFFFFFF)),
        "window-zero": frame(8, 0, 0, struct.pack(">I", 0)),
        "push": frame(5, 4, 1, struct.pack(">I", 2) + b"\x82\x84\x86"),
        "short-body": ok + frame(0, 1, 1, b"hel"),
        "long-body": ok + frame(0, 1, 1, b"hello!"),
        "upper-case": frame(1, 5, 1, block(200, ("X-Upper", "1"))),
        "connection": frame(1, 5, 1, block(200, ("connection", "close"))),
        "two-status": frame(1, 5, 1, block(200) + literal(":status", "404")),
        "no-status": frame(1, 5, 1, literal("a", "b")),
        "bad-value": frame(1, 5, 1, block(200, ("a", " b\t")) + literal("c", "d\x01")),
        "data-first": frame(0, 1, 1, b"hello"),
        "idle-stream": frame(0, 1, 99, b"hello"),
        "even-stream": frame(1, 5, 2, block(200)),
        "stream-zero": frame(1, 5, 0, block(200)),
        "large-frame": frame(0, 0, 1, bytes(16385)),
        "bad-hpack": frame(1, 5, 1, b"\xff\xff\xff\xff\xff"),
        "table-size": frame(1, 5, 1, b"\x3f\xe1\xff\x03" + block(200)),
        "hpack-index": frame(1, 4, 1, b"\x88\x40\x01a\x01b") + frame(1, 5, 1, b"\xbe"),
        "huffman": frame(1, 5, 1, b"\x48\x82\x64\x02"),
        "extension": frame(0x21, 255, 77, b"what") + frame(1, 5, 1, block(204)),
        "priority": frame(2, 0, 3, b"\0\0\0\1\x10") + frame(1, 0x25, 1, b"\0\0\0\0\x10" + block(200)),
        "unfinished": frame(1, 1, 1, block(200)) + frame(0, 0, 1, b"x"),
        "http1": b"HTTP/1.1 400 Bad Request\r\n\r\n",
        "flood": frame(6, 0, 0, bytes(8)) * 60,
        "empty-data": ok + frame(0, 0, 1) * 40,
    }
    for i, (name, data) in enumerate(frames.items()):
        seed("h2", name, bytes([1 | (i % 4) << 1, i]), data)


def h2_frames_seeds():
    def begin(*kinds):
        return b"".join(bytes([0, kind, how]) for kind, how in kinds) + bytes([7])

    def peer(*ops, give=True):
        return bytes([0x1B if give else 0x0B]) + bytes(ops)

    greet = peer(11) + bytes([7])
    get = begin((64, 0))
    headers = peer(0x00, 0, 0)
    data = peer(0x03, 0x48)
    seed("h2_frames", "get", get, greet, headers, data, bytes([8]))
    seed("h2_frames", "upload", begin((64 | 8 | 1, 15)), greet, peer(7, 200), peer(8, 200), bytes([7, 8]), peer(0, 0x10, 0))
    seed("h2_frames", "starved", begin((8 | 1, 15)), greet, bytes([7, 4, 0, 7, 4, 1, 7]), peer(8, 255), peer(7, 255), bytes([7]))
    seed("h2_frames", "hoards", begin((64 | 32, 0)), greet, headers, peer(3, 63) * 6, bytes([8, 3, 0, 8, 3, 1, 8]))
    seed("h2_frames", "big-download", begin((64, 0)), greet, headers, peer(3, 63) * 20, bytes([8]))
    seed("h2_frames", "cancel", begin((64, 0), (64, 0)), greet, headers, bytes([2, 7, 8]), peer(0x10, 0x10, 0))
    seed("h2_frames", "settings", begin((64 | 8 | 1, 9)), greet, peer(10, 0), bytes([7]), peer(10, 3), bytes([7, 8]))
    seed("h2_frames", "goaway", begin((64, 0), (64, 0), (64, 0)), greet, peer(13, 0x01), headers, data, bytes([8]))
    seed("h2_frames", "rst", begin((64, 0), (64, 0)), greet, peer(9, 0), peer(0x19, 1), bytes([8]))
    seed("h2_frames", "silence", begin((64, 0)), greet, bytes([5, 100, 7, 5, 100, 7, 5, 255]))
    seed("h2_frames", "ping", begin((64, 0)), greet, bytes([5, 100, 7]), peer(14, 1), bytes([5, 50, 7]), headers, data)
    seed("h2_frames", "trailers", begin((64, 0)), greet, headers, peer(3, 5), peer(0, 0x20, 1), bytes([8]))
    seed("h2_frames", "padded", begin((64, 0)), greet, headers, peer(3, 0x9F) * 5, bytes([8]))
    seed("h2_frames", "shutdown", begin((64, 0)), greet, bytes([0xF9, 7]), headers, data, bytes([8]))
    seed("h2_frames", "rude", begin((64, 0)), greet, bytes([0xFA]), headers, peer(3, 63) * 30, bytes([8]))
    seed("h2_frames", "refuses", begin((128 | 64, 0x20)), greet, headers, data, bytes([8]))
    seed("h2_frames", "continuation", begin((64, 0)), greet, peer(0, 0x40, 0xFF), data, bytes([8]))
    seed("h2_frames", "many", begin(*[(64, 0)] * 20), greet, *[peer(i << 4, 0x10, 1) for i in range(15)], bytes([8]))
    seed("h2_frames", "raw", begin((64, 0)), greet, peer(15, 1, 4, 3, 0, 0, 0), bytes([8]))


# ---- the client ----------------------------------------------------------------------------------------------------

def client_seeds():
    drive = bytes([2])

    def submit(what=0, how=0, body=0, size=0, plan=0):
        return bytes([0, plan, what, how, body, size])

    def answer(*ops, wire=0):
        return bytes([0x0D | wire << 4]) + bytes(ops)

    http = 1 << 3  # http://a.example/
    h2_ok = answer(11) + answer(0, 0, 0) + answer(3, 0x48)
    for mode in range(4):
        start = bytes([mode])
        seed("client", "h2-get-%d" % mode, start, submit(), drive, h2_ok, drive)
        seed("client", "h1-get-%d" % mode, start, submit(http), drive, answer(0), drive)
    start = bytes([2])
    seed("client", "h1-chunked", start, submit(http, 1), drive, answer(1), bytes([6, 200]), answer(2), answer(3), bytes([6, 255, 6, 255]))
    seed("client", "h1-redirect", start, submit(http), drive, answer(4), drive, answer(0), drive)
    seed("client", "h1-other-host", start, submit(http | 1, 0, 1, 20), drive, answer(11), drive, h2_ok, answer(0, 0, 0, wire=1))
    seed("client", "h1-expect", start, submit(http | 1 | 64, 2, 1, 100)[:6], bytes([2]), drive, answer(5), drive, answer(0), drive)
    seed("client", "h1-417", start, submit(http | 1 | 64, 0, 1, 100), bytes([2]), drive, answer(8), drive, answer(0), drive)
    seed("client", "h1-421", start, submit(http), drive, answer(9), drive, answer(0, wire=1), drive)
    seed("client", "h1-close-delimited", start, submit(http, 1), drive, answer(10), bytes([6, 100, 0x0B]), drive, bytes([6, 100]))
    seed("client", "h1-reset", start, submit(http), drive, bytes([0x4B]), drive)
    seed("client", "h1-stale", start, submit(http), drive, answer(0), drive, submit(http), drive, bytes([0x0B]), drive, answer(0), drive)
    seed("client", "h1-slow-reader", start, submit(http, 1), drive, answer(13), bytes([0xCB, 255, 2, 0xCB, 255, 2, 0xCB, 255, 2, 6, 0x7F, 6, 0x7F]))
    seed("client", "push", start, submit(1, 1, 5, 200), drive, bytes([8, 100, 2, 8, 100, 2, 8, 0x80, 2]), h2_ok)
    seed("client", "push-h1", start, submit(http | 1, 1, 5, 200), drive, bytes([8, 100, 2, 8, 100, 2, 8, 0x80, 2]), answer(0), drive)
    seed("client", "source", start, submit(1, 0, 3 | 8 | 16, 200), drive, bytes([0x45, 2, 0x45, 2]), answer(8, 255), drive, h2_ok)
    seed("client", "source-fails", start, submit(http | 1, 0, 3 | 32, 200), drive, drive, drive)
    seed("client", "dial-fails", bytes([6]), submit(plan=2), drive, drive, bytes([0x6A, 200, 2, 2]))
    seed("client", "dial-hangs", start, submit(0, 4, plan=3), drive, bytes([0x6A, 150, 2, 0x6A, 255, 2]))
    seed("client", "queue", bytes([2 | 16 | 32]), submit() * 6, drive, h2_ok, drive, drive)
    seed("client", "cancel", start, submit() * 3, drive, bytes([0x05, 2, 0x15, 2]), answer(0x20, 0x10, 0), drive)
    seed("client", "let-go", start, submit(0, 1) * 3, drive, h2_ok, bytes([0x25, 2]), drive)
    seed("client", "goaway", start, submit() * 3, drive, answer(13, 0x01), drive, answer(0, 0x10, 0), drive)
    seed("client", "refused", start, submit() * 2, drive, answer(9, 0), drive, answer(9, 0), drive, bytes([0x6A, 20, 2]))
    seed("client", "needs-h1", start, submit(plan=0), drive, answer(9, 3), drive, answer(0, wire=1), drive)
    seed("client", "timeout", start, submit(0, 4), drive, bytes([0x6A, 160, 2, 0x6A, 255, 2]))
    seed("client", "closes", start, submit() * 3, drive, bytes([0x0A, 2]), submit(), drive)
    seed("client", "no-memory", bytes([3]), bytes([0x1A, 20]), submit(), drive, bytes([0x1A, 5]), drive, h2_ok, bytes([0x1A, 3]), submit(), drive)
    seed("client", "corked", bytes([3]), bytes([0x2A]), submit() * 9, bytes([0x3A]), drive, bytes([0x2A]), h2_ok, bytes([0x4A, 0x3A]), drive)
    seed("client", "full-socket", start, submit(1, 0, 1, 250), bytes([0x0B]), drive, bytes([0x8B, 3]), drive, drive, bytes([0x8B, 255]), drive, h2_ok)
    seed("client", "layered", start, submit(0, 1, plan=8), drive, answer(11), answer(0, 0, 0), answer(3, 63) * 3, drive, bytes([6, 127, 6, 127]), drive)
    start = bytes([2 | 128])
    seed("client", "retry", start, submit(http), drive, answer(14), drive, bytes([0x6A, 150, 2]), answer(0), answer(0, wire=1), drive)
    seed("client", "retry-h2", start, submit(), drive, answer(11), answer(0, 0x18, 0xC0), drive, bytes([0x6A, 150, 2]), answer(0x10, 0x10, 0), drive)
    seed("client", "retry-lost", start, submit(http), drive, bytes([0x4B]), drive, bytes([0x6A, 150, 2]), answer(0), drive)
    seed("client", "stall", start, submit(http, 4 | 128), drive, answer(13), drive, bytes([0x6A, 140, 2, 0x6A, 140, 2]))
    seed("client", "gzip", start, submit(http, 1), drive, answer(12), bytes([0xCB, 1, 2, 6, 255]), drive)


def main():
    here = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus")
    for make in (text_seeds, coding_seeds, h2_seeds, h2_frames_seeds, client_seeds):
        make()
    for (what, name), data in SEEDS.items():
        os.makedirs(os.path.join(here, what), exist_ok=True)
        with open(os.path.join(here, what, "seed-" + name), "wb") as file:
            file.write(data)
    print(len(SEEDS), "seeds")


if __name__ == "__main__":
    main()
