#!/usr/bin/env python3
"""Writes extra.jsonl: whole families of requests, in the form that `run` reads. Run it after a change here and commit both."""
import base64
import json
import os
import zlib

cases = []


def case(name, cls, verdict, raw, note=""):
    if isinstance(raw, str):
        raw = raw.encode("latin-1")
    form = {"raw_zlib_b64": base64.b64encode(zlib.compress(raw, 9)).decode()} if len(raw) > 4000 else {"raw_b64": base64.b64encode(raw).decode()}
    cases.append({"id": name, "cls": cls, "verdict": verdict, "note": note, **form, "len": len(raw)})


def family(prefix, cls, verdict, build, members):
    for i, m in enumerate(members):
        case(f"{prefix}-{i:02}", cls, verdict, build(m), repr(m)[:60])


def get(*headers, line="GET / HTTP/1.1", host="Host: a"):
    return "\r\n".join([line, *([host] if host is not None else []), *headers, "", ""])


def post(body, *headers, line="POST / HTTP/1.1"):
    return get(*headers, line=line) + body


def chunked(body, *headers):
    return post(body, "Transfer-Encoding: chunked", *headers)


# What must work. The first family is done right by any server.
family("simple", "control-simple", "accept", lambda l: get(line=l), ["GET / HTTP/1.1", "DELETE /a HTTP/1.1", "GET /a/b?c=d&e=%20 HTTP/1.1"])
family("ok-line", "control", "accept", lambda l: get(line=l), [
    "HEAD /a HTTP/1.1", "OPTIONS /a HTTP/1.1", "OPTIONS * HTTP/1.1", "PUT /a HTTP/1.1", "PATCH /a HTTP/1.1", "GET http://a/b HTTP/1.1", "GET HTTP://A/b?c HTTP/1.1",
    "GET /%E8%8C%B6 HTTP/1.1", "GET /a%2Fb HTTP/1.1", "GET /a?b=%zz HTTP/1.1", "GET /a?b=//../c HTTP/1.1", "GET /~a/b-c_d.e:@!$&'()*+,;= HTTP/1.1"])
family("ok-http10", "control", "accept", lambda h: get(*h, line="GET / HTTP/1.0", host=None), [[], ["Host: a"], ["Connection: keep-alive"], ["Expect: 100-continue"]])
family("ok-host", "control", "accept", lambda h: get(host=h), ["Host: a", "HOST:a", "host:\ta.example:8080 ", "Host: 127.0.0.1", "Host: [::1]", "Host: [::1]:80", "Host: xn--fa-hia.de", "Host: a_b"])
family("ok-header", "control", "accept", lambda h: get(h), [
    "X:", "X: ", "X:v", "X:  v  ", "X: \t v", "X: a\tb", "!#$%&'*+-.^_`|~09azAZ: v", "X: \xe8\x8c\xb6", "X: \"quoted, with: colon\"", "X: a:b", "TE: trailers", "Connection: keep-alive",
    "Connection: , keep-alive,", "Upgrade: websocket", "Content-Length: 0", "X: \xff", "Accept: */*;q=0.1"])
case("ok-connection-upgrade", "control", "accept", get("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: x"))
case("ok-100-headers", "control", "accept", get(*[f"X-{i}: v" for i in range(99)]))
case("ok-target-8000", "control", "accept", get(line="GET /" + "a" * 8000 + " HTTP/1.1"))
case("ok-headers-15k", "control", "accept", get(*[f"X-{i}: " + "v" * 1000 for i in range(15)]))
family("ok-te", "control", "accept", lambda v: post("0\r\n\r\n", f"Transfer-Encoding:{v}"), [" chunked", "chunked", "\tchunked ", " Chunked", " CHUNKED"])
family("ok-chunks", "control", "accept", chunked, [
    "0\r\n\r\n", "3\r\nabc\r\n0\r\n\r\n", "03\r\nabc\r\n0\r\n\r\n", "1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\n\r\n", "a\r\n0123456789\r\n0\r\n\r\n", "000\r\n\r\n", "3\r\n\r\n\r\r\n0\r\n\r\n",
    "3;a\r\nabc\r\n0\r\n\r\n", "3;a=b\r\nabc\r\n0;e\r\n\r\n", "3;a=\"b;c\"\r\nabc\r\n0\r\n\r\n", "0\r\nX: y\r\n\r\n", "3\r\nabc\r\n0\r\nX: y\r\nZ:\r\n\r\n"])
family("ok-chunk-extension", "control", "accept", chunked, ["3;a=b;c=d\r\nabc\r\n0\r\n\r\n", "3;a=\"b\\\"c\"\r\nabc\r\n0\r\n\r\n"])
# Right by the RFC, but llhttp 8.1 refuses it, so both answers are fine.
case("any-length-tab", "cl", "any", post("abc", "Content-Length: 3\t"))
case("ok-chunks-many", "control", "accept", chunked("1\r\na\r\n" * 2000 + "0\r\n\r\n"))
family("ok-length", "control", "accept", lambda n: post("abc", f"Content-Length:{n}"), [" 3", "3", "\t3", " 03", " 0000000000000000003"])
case("ok-body-looks-like-request", "control", "accept", post(get(line="GET /smuggled HTTP/1.1"), "Content-Length: %d" % len(get(line="GET /smuggled HTTP/1.1"))))
case("ok-chunk-looks-like-request", "control", "accept", chunked("%x\r\n%s\r\n0\r\n\r\n" % (len(get(line="GET /smuggled HTTP/1.1")), get(line="GET /smuggled HTTP/1.1"))))
case("ok-head-body", "control", "accept", post("abc", "Content-Length: 3", line="HEAD / HTTP/1.1"))
case("ok-delete-body", "control", "accept", post("abc", "Content-Length: 3", line="DELETE /x HTTP/1.1"))
case("ok-get-chunked", "control", "accept", post("3\r\nabc\r\n0\r\n\r\n", "Transfer-Encoding: chunked", line="GET / HTTP/1.1"))
case("ok-body-200k", "control", "accept", post("x" * 200_000, "Content-Length: 200000"))
case("ok-expect", "control", "accept", post("abc", "Content-Length: 3", "Expect: 100-continue"))
case("ok-expect-case", "control", "accept", post("abc", "Content-Length: 3", "Expect: 100-Continue"))
case("ok-expect-no-body", "control", "accept", get("Expect: 100-continue"))

# Request line.
family("line-bad", "request-line", "reject", lambda l: get(line=l), [
    "GET", "GET ", "GET /", "GET / ", " GET / HTTP/1.1", "\tGET / HTTP/1.1", "GET\t/ HTTP/1.1", "GET /\tHTTP/1.1", "GET /  HTTP/1.1", "GET / HTTP/1.1\t", "GET / HTTP/1.1 x",
    "GET / HTTP/1.1\r", "GET / HTTP/1", "GET / HTTP/1.", "GET / HTTP/.1", "GET / HTTP/11", "GET / HTTP/1.10", "GET / HTTP/01.1", "GET / HTTP/1,1", "GET / HTTP 1.1", "GET / http/1.1",
    "GET / Http/1.1", "GET / HTTPS/1.1", "GET / HTTP/", "GET / ICE/1.0", "GET / RTSP/1.0", "GET / HTTP/3.0", "GET / HTTP/0.9", "GET / HTTP/9.9", "GET / HTTP/a.b", "GET / HTTP/1.\xb9",
    "Get / HTTP/1.1", "get / HTTP/1.1", "GE\0T / HTTP/1.1", "G\xc9T / HTTP/1.1", "GET: / HTTP/1.1", "(GET) / HTTP/1.1", "FOO / HTTP/1.1", "TRACE / HTTP/1.1", "PROPFIND / HTTP/1.1",
    "GETGETGETGETGETGETGETGETGETGETGET / HTTP/1.1", "M-SEARCH * HTTP/1.1", "SOURCE / HTTP/1.1", "PRI * HTTP/2.0", "-GET / HTTP/1.1", "GET\x0b/ HTTP/1.1", "GET\x85/ HTTP/1.1", "GET\xa0/ HTTP/1.1"])
family("target-bad", "request-line", "reject", lambda t: get(line=f"GET {t} HTTP/1.1"), [
    "*", "a", "a/b", "?a", "#a", "/a#b", "/#", "/a?b#c", "http:/a/b", "http:///b", "http://", "http://b/", "http://a@a/", "http://u:p@a/", "http://a:99999/", "http://a:x/", "ftp://a/", "file:///etc/passwd",
    "javascript:x", "a:443", "/a\x7f", "/a\x01", "/\x00", "/a<b>", "/a\"b", "/a\\b", "/a|b", "/a^b", "/a`b", "/a{b}", "http://a b/", "//a b", "/a\x0bb", "/a\rb", "/a\nb", "http://[::1/", "\\\\a\\b"])
case("target-star-get-http10", "request-line", "reject", get(line="GET * HTTP/1.0"))
family("connect", "method", "reject", lambda l: get(line=l), ["CONNECT a:443 HTTP/1.1", "CONNECT / HTTP/1.1", "CONNECT * HTTP/1.1", "CONNECT http://a/ HTTP/1.1", "CONNECT a:443 HTTP/1.0"])
family("nine", "request-line", "reject", lambda r: r, ["GET /\r\n\r\n", "GET /\n\n", "GET / \r\n\r\n", "GET http://a/\r\nHost: a\r\n\r\n"])
family("start", "request-line", "reject", lambda s: s + get(), ["\r\n\r\n", "\n", "\n\n", "\r", "\r\r\n", " ", "\t", " \r\n", "\0", "\xef\xbb\xbf", "\x16\x03\x01\x02\x00\x01\x00", "\x80\x80", "{}", "HTTP/1.1 200 OK\r\n\r\n"])

# Header lines.
family("name-bad", "header", "reject", get, [
    ": v", ":", " : v", "X : v", "X\t: v", "X\x0b: v", "X\0: v", "X\xff: v", "X\xc3\xa9: v", "X Y: v", "X;Y: v", "X/Y: v", "X[Y]: v", "X{Y}: v", "X=Y: v", "X?Y: v", "X@Y: v", "X\\Y: v", "X<Y: v", "\"X\": v", "(X): v",
    "X,Y: v", "X\x7f: v", "X\r: v", "X\n: v", "X", "X v", "\x00: v", "\x01X: v", "Content-Length", "Transfer-Encoding", "\xefX: v", "X\u00a0: v"])
family("value-bad", "header", "reject", get, [f"X: a{c}b" for c in ("\0", "\x01", "\x08", "\x0b", "\x0c", "\x0e", "\x1b", "\x1f", "\x7f", "\r", "\n", "\r\r")] + ["X: \0", "X:\0v", "X: v\0", "X: v\r", "X: v\n", "X:\nY: z", "X:\rY: z"])
family("fold", "header", "reject", get, ["X: a\r\n b", "X: a\r\n\tb", "X:\r\n b", "X: a\r\n \r\n b", "X: a\r\n ", "X: a\r\n\t", "X: a\n b", "X: a\r b"])
family("first-header", "header", "reject", lambda h: "GET / HTTP/1.1\r\n" + h + "\r\n\r\n", [" Host: a", "\tHost: a", " X: y\r\nHost: a", "\rHost: a", "\nHost: a", "\x00Host: a", ":\r\nHost: a", " \r\nHost: a", "\r Host: a"])
family("line-end", "header", "reject", lambda r: r, [
    "GET / HTTP/1.1\nHost: a\n\n", "GET / HTTP/1.1\r\nHost: a\n\r\n", "GET / HTTP/1.1\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\n", "GET / HTTP/1.1\r\nHost: a\r\n\rX", "GET / HTTP/1.1\rHost: a\r\r",
    "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r\r\n", "GET / HTTP/1.1\n\rHost: a\n\r\n\r", "GET / HTTP/1.1\r\nHost: a\n\n"])
family("host-bad", "host", "reject", lambda h: get(host=h), [
    None, "Host:", "Host: ", "Host: \t", "Host: a b", "Host: a,b", "Host: a/b", "Host: /", "Host: http://a", "Host: u@a", "Host: u:p@a", "Host: a:", "Host: a:b", "Host: a:+80", "Host: a:-1", "Host: a:65536", "Host: a:999999",
    "Host: :80", "Host: a:80:80", "Host: [::1", "Host: ::1", "Host: [::1]x", "Host: [::1]:", "Host: []", "Host: [g::1", "Host: a\\b", "Host: a?b", "Host: a#b", "Host: a\xffb", "Host: <a>", "Host: \"a\"", "Host: a\r\nHost: a",
    "Host: a\r\nhOST: b", "Host: a\r\nHost:", "Host : a", "Host: a;b", "Host: a%00", "Host: " + "a" * 300])
case("host-dup-http10", "host", "reject", get("Host: a", line="GET / HTTP/1.0"))

# Body framing.
lengths = ["", " ", "-3", "-0", "+3", "0x3", "3 3", "3,3", "3, 3", "3,", ",3", "3;", "3.0", "3e0", "1e1", "\"3\"", "3_0", "three", "3\x00", "3\x0b", "\xb3", "\uff13".encode("utf-8").decode("latin-1"), "0b11", "0o3", "3 ;a", "9223372036854775808",
           "18446744073709551615", "18446744073709551616", "18446744073709551619", "99999999999999999999999", "00000000000000000000000000000003", "3\r\n 3", "NaN", "Infinity", "3\t3", "3a", "a", "٣".encode().decode("latin-1")]
family("length-bad", "cl", "reject", lambda n: post("abc", f"Content-Length: {n}"), lengths)
case("length-dup-same", "cl", "reject", post("abc", "Content-Length: 3", "Content-Length: 3"))
case("length-dup-other", "cl", "reject", post("abc", "Content-Length: 3", "Content-Length: 0"))
case("length-dup-case", "cl", "reject", post("abc", "Content-Length: 3", "content-LENGTH: 3"))
case("length-dup-zero", "cl", "reject", get("Content-Length: 0", "Content-Length: 0"))
case("length-dup-get", "cl", "reject", post("abc", "Content-Length: 3", "Content-Length: 3", line="GET / HTTP/1.1"))
family("length-name", "cl", "reject", lambda n: post("abc", f"{n} 3"), ["Content-Length :", "Content-Length\t:", " Content-Length:", "Content-Length\0:", "Content\x0bLength:", "Content-Length\xa0:", "Content-Length"])
codings = ["", " ", "chunked,", ",chunked", "chunked, chunked", "chunked,chunked", "identity", "identity, chunked", "chunked, identity", "gzip", "gzip, chunked", "chunked, gzip", "deflate, chunked", "xchunked", "chunkedx", "chunke", "chunked;a=b",
           "\"chunked\"", "'chunked'", "chunked\0", "\0chunked", "chunked\x0b", "\x0bchunked", "\x0cchunked", "chu nked", "chunked chunked", "chunked\r\n ", "\r\n chunked", "chunked\r", "chun\xe7ked", "\xa0chunked", "x", "*", "trailers", "chunked\x85"]
family("coding-bad", "te", "reject", lambda v: post("0\r\n\r\n", f"Transfer-Encoding: {v}"), codings)
family("coding-length", "cl-te", "reject", lambda v: post("0\r\n\r\n", f"Transfer-Encoding: {v}", "Content-Length: 5"), ["chunked", "Chunked", "identity", "gzip", "", "x", "chunked, identity"])
family("length-coding", "cl-te", "reject", lambda v: post("0\r\n\r\n", "Content-Length: 5", f"Transfer-Encoding: {v}"), ["chunked", "CHUNKED", "identity", "", "\tchunked"])
case("length-0-coding", "cl-te", "reject", post("0\r\n\r\n", "Content-Length: 0", "Transfer-Encoding: chunked"))
case("coding-dup", "te", "reject", post("0\r\n\r\n", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"))
case("coding-dup-empty", "te", "reject", post("0\r\n\r\n", "Transfer-Encoding: chunked", "Transfer-Encoding:"))
case("coding-dup-first-empty", "te", "reject", post("0\r\n\r\n", "Transfer-Encoding:", "Transfer-Encoding: chunked"))
case("coding-dup-other", "te", "reject", post("0\r\n\r\n", "Transfer-Encoding: x", "Transfer-encoding: chunked"))
family("coding-name", "te", "reject", lambda n: post("0\r\n\r\n", f"{n} chunked"), ["Transfer-Encoding :", "Transfer-Encoding\t:", " Transfer-Encoding:", "\tTransfer-Encoding:", "Transfer-Encoding\0:", "X: y\rTransfer-Encoding:", "X: y\nTransfer-Encoding:", "X: y\r\n\rTransfer-Encoding:", "Transfer\x0bEncoding:"])
case("coding-http10", "te", "reject", post("0\r\n\r\n", "Transfer-Encoding: chunked", line="POST / HTTP/1.0"))
case("coding-http10-keep-alive", "te", "reject", post("0\r\n\r\n", "Transfer-Encoding: chunked", "Connection: keep-alive", line="POST / HTTP/1.0"))
case("coding-get-gzip", "te", "reject", get("Transfer-Encoding: gzip"))

# Chunks.
family("chunk-bad", "chunk", "reject", chunked, [s + "\r\nabc\r\n0\r\n\r\n" for s in (
    "", " ", "3 ", " 3", "\t3", "3\t", "+3", "-3", "-0", "0x3", "0X3", "x3", "3h", "g", "3.0", "3,3", "3_0", "0_3", "\"3\"", "3\0", "\x003", "3\x0b", "\xb3", "10000000000000000", "fffffffffffffffff", "00000000000000003",
    "ffffffffffffffff", "8000000000000000", "FFFFFFFFFFFFFFF0", "3\n", "3\r", "\n3", "\r\n3", "3;a=\n", "3;a\0", "3;a=\x01", "3;\x7f", "3;a=b c", "3;=b", "3;", "3;;", "3;a=", "3;a=\"b", "3;a=\"b\"c", "3;a=\r", "3;a\xff", "3 ;a=b", "3; a=b", "3;a =b", "3;\r;")]
    + ["3\nabc\r\n0\r\n\r\n", "3\rabc\r\n0\r\n\r\n", "3\r\nabc0\r\n\r\n", "3\r\nabcd\r\n0\r\n\r\n", "3\r\nab\r\n0\r\n\r\n", "3\r\nabc\n0\r\n\r\n", "3\r\nabc\r0\r\n\r\n", "3\r\nabc\r\r\n0\r\n\r\n", "3\r\nabc\r\n\r\n0\r\n\r\n", "3\r\nabc\r\n0\n\r\n", "3\r\nabc\r\n0\n\n",
       "3\r\nabc\r\n0\r\n\n", "3\r\nabc\r\n0\r\n\rX", "0\r\r\n\r\n", "0\n\n", "abc"])
family("chunk-extension-flood", "chunk", "reject", chunked, ["3;" + "a" * 2000 + "\r\nabc\r\n0\r\n\r\n", "1;aaaaaaaaaaaaaaa\r\nx\r\n" * 100 + "0\r\n\r\n", "0;" + "a" * 100000, "3;a=\"" + "b" * 2000 + "\"\r\nabc\r\n0\r\n\r\n"])
family("trailer-bad", "chunk", "reject", lambda t: chunked("3\r\nabc\r\n0\r\n" + t + "\r\n\r\n"), [
    "X", "X y", " X: y", "\tX: y", ": y", "X : y", "X\0: y", "X: \0", "X: a\rb", "X: a\nb", "X: a\r\n b", "X\xff: y", "\rX: y", "X: \x7f", "X(: y", "X: " + "a" * 5000, "\r\n".join(["X: y"] * 20), "a: b\r\n" * 5000 + "X: y"])

# Limits.
case("limit-target", "limit", "reject", get(line="GET /" + "a" * 9000 + " HTTP/1.1"))
case("limit-target-1m", "limit", "reject", get(line="GET /" + "a" * 1_000_000 + " HTTP/1.1"))
case("limit-query", "limit", "reject", get(line="GET /?" + "a" * 20_000 + " HTTP/1.1"))
case("limit-method", "limit", "reject", get(line="A" * 10_000 + " / HTTP/1.1"))
case("limit-version", "limit", "reject", get(line="GET / HTTP/1.1" + "1" * 10_000))
case("limit-name", "limit", "reject", get("X" * 20_000 + ": v"))
case("limit-value", "limit", "reject", get("X: " + "v" * 20_000))
case("limit-headers-101", "limit", "reject", get(*["X: v"] * 101))
case("limit-headers-17k", "limit", "reject", get(*[f"X-{i}: " + "v" * 1000 for i in range(17)]))
case("limit-no-end", "limit", "reject", "A" * 100_000)
case("limit-crlf-flood", "limit", "reject", "\r\n" * 5000 + get())
case("limit-length", "limit", "reject", post("abc", "Content-Length: 9223372036854775807"))
case("limit-length-2m", "limit", "reject", post("x" * 10, "Content-Length: 2000000"))
case("limit-chunk", "limit", "reject", chunked("7fffffffffffffff\r\nabc"))
case("limit-chunks-2m", "limit", "reject", chunked(("10000\r\n" + "x" * 65536 + "\r\n") * 20 + "0\r\n\r\n"))

# Paths that must never lead anywhere else.
paths = ["/../a", "/a/../b", "/a/..", "/..", "/.", "/./a", "/a/./b", "/%2e", "/%2e%2e", "/%2E%2e/a", "/.%2e/a", "/a/%2e%2e/b", "/%00", "/a%00b", "/%0d%0aX:y", "/a%0ab", "/a%7f", "/a%1b", "/%", "/%4", "/%zz", "/%4g", "/%u0041", "/%%41",
         "/%2541", "/%252e%252e/a", "/%c0%ae%c0%ae/a", "/%c0%af", "/%e0%80%af", "/%ed%a0%80", "/%f4%90%80%80", "/%ff", "/%80", "/%c3", "//", "//a", "/a//b", "/a/", "http://a//b", "http://a/../b"]
family("path-bad", "path", "reject", lambda p: get(line=f"GET {p} HTTP/1.1"), paths)
family("path-8bit", "path", "reject", lambda p: get(line=f"GET {p} HTTP/1.1"), ["/\x80", "/\xff", "/\xe8\x8c\xb6", "/a?b=\xff", "/\xa0"])

# Expectations, connection, after the end.
family("expect-bad", "expect", "reject", lambda e: post("abc", "Content-Length: 3", e), ["Expect: 200-ok", "Expect:", "Expect: 100-continue, x", "Expect: x", "Expect: 100-continue\r\nExpect: 100-continue"])
family("close", "conn", "accept-one", lambda c: get(c) + get(), ["Connection: close", "connection:close", "Connection: CLOSE", "Connection: keep-alive, close", "Connection: close, keep-alive", "Connection: close\r\nConnection: keep-alive", "Connection: keep-alive\r\nConnection: close", "Connection:\tclose\t", "Connection: x , close"])
case("close-post", "conn", "accept-one", post("abc", "Content-Length: 3", "Connection: close") + get())
case("close-chunked", "conn", "accept-one", chunked("3\r\nabc\r\n0\r\n\r\n", "Connection: close") + get())
case("close-http10", "conn", "accept-one", get(line="GET / HTTP/1.0") + get())
case("close-http10-close", "conn", "accept-one", get("Connection: close", line="GET / HTTP/1.0") + get())
case("close-then-garbage", "conn", "accept-one", get("Connection: close") + "\0\0\0")
family("incomplete", "incomplete", "any", lambda r: r, ["", "G", "GET / HTTP/1.1", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHost: a\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r", post("ab", "Content-Length: 3"), chunked("3\r\nab"), chunked("3\r\nabc\r\n"), chunked("0\r\n"), "\r\n", "\r"])
family("garbage", "garbage", "reject", lambda r: r, ["\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + "\x00" * 100, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "SSH-2.0-x\r\n", "EHLO a\r\n", "\x00" * 64, "\xff" * 64, "<html>", "*1\r\n$4\r\nPING\r\n", "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n" + get(), "\x05\x01\x00"])
case("second-bad", "conn", "any", get() + "GET / HTTP/9.9\r\n\r\n")

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "extra.jsonl"), "w", encoding="utf-8") as f:
    for c in cases:
        f.write(json.dumps(c, ensure_ascii=False) + "\n")
print(f"{len(cases)} cases")
