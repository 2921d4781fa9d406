#!/usr/bin/env python3
"""A small client of Hearsay's protocol.

Written from documents/PROTOCOL.md alone, by somebody who had not seen the source; afterwards it was
held against RULES S1 and S2. It uses nothing but Python's standard library (3.8 or later), so it
also has its own Ed25519 (RFC 8032), for verifying only. Of the types of keys it knows 0x01 alone,
and it has no second implementation to ask (RULES S8). The numbers in comments are sections of
PROTOCOL.md.

    client.py key LOG                           parse a vkey; print its parts and the log hash
    client.py text LOG SIZE ROOT                the bytes that the log signs for a frame
    client.py frame LOG HEX                     verify frames and print them
    client.py frame-of LOG NOTE                 the frame of a note, in hex
    client.py note-of LOG HEX                   the note of a frame
    client.py exchange HOST:PORT LOG HEX|nothing ...   the plain exchange
    client.py greet HOST:PORT LOG ...           the greeting: which of these logs do both follow
    client.py note HOST:PORT LOG NOTE           a parcel with a note
    client.py ask HOST:PORT LOG NOTE [ID ...]   a question: a note, and the cases known already
    client.py settled HOST:PORT LOG NOTE        a parcel with a note, and how its checkpoint stands
    client.py hand HOST:PORT LOG RECORD         a parcel with a record
    client.py raw HOST:PORT LOG HEX             a parcel of any bytes
    client.py record LOG RECORD                 verify a conflict record, offline
    client.py verdicts LOG RECORDS              the same of many, one a line: its id, or "refused"

LOG is a log in the notation of section 2: a vkey, or a vkey, a space and the origin. NOTE and
RECORD are files; - is the standard input. The exit code is 0 if everything held, 1 if something
came that does not hold or nothing came, and 2 if the arguments are wrong.
"""

import base64
import functools
import hashlib
import json
import re
import socket
import sys
import time
import unicodedata

FRAME_BYTES, MAX_FRAMES = 104, 1024  # 14
MAX_ITEMS, MAX_PARCEL_BYTES = 512, 3145728
MAX_NOTE_BYTES, MAX_SIGNATURE_LINES, MAX_PROOF_HASHES = 524288, 100, 64
MAX_JSON_PARTS, MAX_DEPTH = 4096, 32
CONNECT_SECONDS, EXCHANGE_SECONDS = 10, 20  # 5, 6
KINDS = {1: "note", 2: "proof", 3: "record", 4: "known", 5: "follows", 6: "about", 7: "settled"}
HEAD_BYTES, STANDINGS = 73, {0: "asks", 1: "consistent", 2: "open", 3: "neither"}  # 6
LIMITS = {1: 524288, 2: 65536, 3: 2162688, 4: 65536, 5: 32768, 6: 80, 7: 9344}
START_ID_BYTES = 16  # 6
MAX_UNKNOWN_ITEM_BYTES = 524288


class Refused(Exception):
    """What was read is malformed or does not hold."""


def check(condition, why):
    if not condition:
        raise Refused(why)


def sha256(data):
    return hashlib.sha256(data).digest()


# ---- Ed25519, RFC 8032: verifying only ---------------------------------------------------------

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT_OF_MINUS_1 = pow(2, (P - 1) // 4, P)


def point_add(a, b):
    e = (a[1] - a[0]) * (b[1] - b[0]) % P
    f = (a[1] + a[0]) * (b[1] + b[0]) % P
    g, h = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    s, t, u, v = f - e, h - g, h + g, f + e
    return (s * t % P, u * v % P, t * u % P, s * v % P)


def point_mul(n, a):
    total = (0, 1, 1, 0)
    while n:
        if n & 1:
            total = point_add(total, a)
        a = point_add(a, a)
        n >>= 1
    return total


def point_decode(data):
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    check(y < P, "a point that is not reduced")
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if x * x % P != x2:
        x = x * ROOT_OF_MINUS_1 % P
    check(x * x % P == x2 and not (x == 0 and sign), "no point of the curve")
    if x & 1 != sign:
        x = P - x
    return (x, y, 1, x * y % P)


def point_encode(a):
    inverse = pow(a[2], P - 2, P)
    x, y = a[0] * inverse % P, a[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


@functools.lru_cache(1024)
def is_small(a):
    x, y, z, _ = point_mul(8, a)
    return x == 0 and y == z


BASE = point_decode((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


@functools.lru_cache(1024)
def ed25519_verifies(public_key, message, signature):
    """RULES S2: strict encodings, no small order, and the equation without the cofactor."""
    try:
        check(len(signature) == 64, "not 64 bytes")
        a, s = point_decode(public_key), int.from_bytes(signature[32:], "little")
        check(s < L, "S is not reduced")
        for point in (a, point_decode(signature[:32])):
            check(not is_small(point), "a point of small order")
        k = int.from_bytes(
            hashlib.sha512(signature[:32] + public_key + message).digest(), "little"
        ) % L
        minus_a = (P - a[0], a[1], a[2], P - a[3])
        return point_encode(point_add(point_mul(s, BASE), point_mul(k, minus_a))) == signature[:32]
    except Refused:
        return False


# ---- 1: notation -------------------------------------------------------------------------------


def unbase64(text, length=None):
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        raise Refused("not base64: %r" % text)
    check(base64.b64encode(data).decode() == text, "base64 in another spelling: %r" % text)
    check(length is None or len(data) == length, "not %s bytes: %r" % (length, text))
    return data


def b64(data):
    return base64.b64encode(data).decode()


def read_size(text):
    check(re.fullmatch("0|[1-9][0-9]{0,18}", text), "not a size: %r" % text)
    check(int(text) < 2**63, "a size of 2^63 or more: %r" % text)
    return int(text)


def utf8(data):
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused("not UTF-8")


def canonical(value):
    """RFC 8785, of values without fractions, whose members' names are ASCII."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text.encode("utf-8")


def read_json(text):
    """JSON read exactly. Of numbers, this client knows only integers that a double holds."""
    bare = re.sub(r'"(?:[^"\\]|\\.)*(?:"|\\?\Z)', "", text, flags=re.S)
    check(1 + sum(bare.count(c) for c in ",:[{") <= MAX_JSON_PARTS, "JSON of too many parts")
    depth = 0
    for c in bare:
        depth += (c in "[{") - (c in "]}")
        check(depth <= MAX_DEPTH, "JSON nested too deep")

    def members(pairs):
        check(len(dict(pairs)) == len(pairs), "a member stands twice")
        return dict(pairs)

    def integer(spelled):
        check(spelled != "-0" and abs(int(spelled)) < 2**53, "a number spelled otherwise")
        return int(spelled)

    def other(spelled):
        raise Refused("a number that is no integer: " + spelled)

    try:
        value = json.loads(
            text,
            object_pairs_hook=members,
            parse_int=integer,
            parse_float=other,
            parse_constant=other,
        )
        json.dumps(value, ensure_ascii=False).encode("utf-8")  # a lone surrogate fails here
    except ValueError:
        raise Refused("not JSON")
    check(isinstance(value, dict), "not a JSON object")
    return value


def shape(value, names, what):
    check(isinstance(value, dict) and set(value) == set(names), what + ": other members")


# ---- 2: keys and logs --------------------------------------------------------------------------


class Key:
    """A verifier key of type 0x01."""

    def __init__(self, vkey):
        parts = vkey.split("+", 2)
        check(len(parts) == 3, "a vkey has two plus signs")
        self.vkey, (self.name, self.id_hex, self.key) = vkey, parts
        check(self.name != "", "a vkey without a name")
        check(
            not any(c.isspace() or unicodedata.category(c) == "Cc" for c in self.name),
            "a vkey's name with a space or a control character",
        )
        check(re.fullmatch("[0-9a-f]{8}", self.id_hex), "a key id is 8 hex digits")
        typed = unbase64(self.key)
        check(len(typed) == 33 and typed[0] == 1, "a key that is not of type 0x01")
        check(not is_small(point_decode(typed[1:])), "a key of small order")
        self.id, self.public = bytes.fromhex(self.id_hex), typed[1:]
        check(sha256(self.name.encode() + b"\n" + typed)[:4] == self.id, "another key id")

    def verifies(self, message, signature):
        return ed25519_verifies(self.public, message, signature)


class Log:
    """An origin together with a key."""

    def __init__(self, notation):
        vkey, space, origin = notation.partition(" ")
        self.key = Key(vkey)
        self.origin = origin if space else self.key.name
        controls = [c for c in self.origin if unicodedata.category(c) == "Cc"]
        check(self.origin != "" and not controls, "an origin is one line, not empty")

    def hash(self):
        return sha256(("hearsay/log/v1\n%s\n%s\n" % (self.key.key, self.origin)).encode())


# ---- 3 and 4: checkpoints, notes and frames ----------------------------------------------------


class Checkpoint:
    def __init__(self, size, root, signature=None, note=None):
        check(size < 2**63, "a size of 2^63 or more")
        check(size > 0 or root == sha256(b""), "another root at size 0")
        self.size, self.root, self.signature, self.note = size, root, signature, note

    def __str__(self):
        return "%d %s" % (self.size, b64(self.root))


def text_of(log, size, root):
    return "%s\n%d\n%s\n" % (log.origin, size, b64(root))


def open_note(log, note):
    """The checkpoint of a note that this log's key has signed; None if it has not."""
    check(len(note.encode()) <= MAX_NOTE_BYTES, "a note that is too long")
    check(note.endswith("\n"), "a note that does not end in LF")
    check(not re.search(r"[\x00-\x09\x0b-\x1f]", note), "a control character in a note")
    text, empty, signatures = note.rpartition("\n\n")
    check(empty and signatures, "a note without signatures")
    text, lines = text + "\n", signatures[:-1].split("\n")
    check(len(lines) <= MAX_SIGNATURE_LINES, "too many signature lines")
    found = None
    for line in lines:
        check(line.startswith("\u2014 "), "a signature line that does not begin with a dash")
        name, _, encoded = line[2:].partition(" ")
        try:
            blob = unbase64(encoded)
        except Refused:
            continue  # it has no key id, so it is the line of no key that is known
        if name == log.key.name and blob[:4] == log.key.id:
            check(log.key.verifies(text.encode(), blob[4:]), "the log's line does not verify")
            found = found or blob[4:]
    if found is None:
        return None
    stated = text[:-1].split("\n")
    check(len(stated) >= 3 and "" not in stated, "a checkpoint has three lines, none empty")
    check(stated[0] == log.origin, "a note of another origin: %r" % stated[0])
    return Checkpoint(read_size(stated[1]), unbase64(stated[2], 32), found, note)


def read_frame(log, frame):
    """The checkpoint of a frame; None for the zero frame."""
    check(len(frame) == FRAME_BYTES, "a frame has 104 bytes")
    if frame == bytes(FRAME_BYTES):
        return None
    checkpoint = Checkpoint(int.from_bytes(frame[:8], "big"), frame[8:40], frame[40:])
    text = text_of(log, checkpoint.size, checkpoint.root)
    check(log.key.verifies(text.encode(), frame[40:]), "a frame that verifies under no key")
    return checkpoint


def frame_of(log, checkpoint):
    text = checkpoint.note.rpartition("\n\n")[0] + "\n"
    check(text == text_of(log, checkpoint.size, checkpoint.root), "it has extension lines")
    return checkpoint.size.to_bytes(8, "big") + checkpoint.root + checkpoint.signature


def note_of(log, checkpoint):
    line = "\u2014 %s %s\n" % (log.key.name, b64(log.key.id + checkpoint.signature))
    return text_of(log, checkpoint.size, checkpoint.root) + "\n" + line


def evidence_id(log, one, other):  # 12
    halves = sorted([one, other], key=lambda checkpoint: (checkpoint.size, checkpoint.root))
    lines = ["hearsay/evidence-id/v1", log.key.key, log.origin, str(halves[0]), str(halves[1])]
    return sha256("".join(line + "\n" for line in lines).encode()).hex()


# ---- 16: statements ----------------------------------------------------------------------------


def open_statement(key, text):
    """The epoch, the number and the body of a statement that this key has signed."""
    value = read_json(text)
    shape(value, ("version", "note", "body"), "statement")
    check(value["version"] == "hearsay/statement/v1", "another version")
    body, note = value["body"], value["note"]
    check(isinstance(note, str) and isinstance(body, dict), "another type")
    check(isinstance(body.get("kind"), str), "a body without a kind")
    time = body.get("time")
    spelling = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
    check(isinstance(time, str) and re.fullmatch(spelling, time, re.A), "another time")
    prefix = key.name + "/statements/"
    origin = note.partition("\n")[0]
    check(origin.startswith(prefix), "not of this key's statements: %r" % origin)
    epoch = read_size(origin[len(prefix):])
    check(epoch > 0, "the epoch 0")
    log = Log(key.vkey + " " + origin)
    checkpoint = open_note(log, note)
    check(checkpoint is not None, "this key has not signed it")
    check(checkpoint.size > 0, "the sequence 0")
    check(note == note_of(log, checkpoint), "a note with more lines")
    hashed = b"hearsay/statement/v1\n" + canonical(body)
    check(sha256(hashed) == checkpoint.root, "the body is not the one that was signed")
    return epoch, checkpoint.size, body


# ---- 10 and 11: proofs and records -------------------------------------------------------------


def implied_root(m, n, older, newer, proof):
    """The root that a proof, which leads to the newer root, implies for the older size."""
    check(0 < m < n, "a proof is between sizes 0 < m < n")
    check(0 < len(proof) <= MAX_PROOF_HASHES, "an empty proof, or one that is too long")
    if m & (m - 1) == 0:
        proof = [older] + proof
    fn, sn = m - 1, n - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = proof[0]
    for c in proof[1:]:
        check(sn != 0, "a proof that is too long")
        if fn & 1 or fn == sn:
            fr, sr = sha256(b"\x01" + c + fr), sha256(b"\x01" + c + sr)
            while fn != 0 and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = sha256(b"\x01" + sr + c)
        fn, sn = fn >> 1, sn >> 1
    check(sn == 0 and sr == newer, "the proof does not lead to the newer root")
    return fr


RECORD_MEMBERS = (
    "version kind log checkpoint_a checkpoint_b source_a source_b evidence_id "
    "detector_id detector_vkey key_id detected_at evidence_signature"
).split()
DETECTOR = ("detector_id", "detector_vkey", "key_id", "evidence_signature")


def record_format(record):
    cross = record.get("kind") == "cross_size"
    shape(record, RECORD_MEMBERS + ["consistency"] * cross, "record")
    for name in RECORD_MEMBERS:
        if name not in ("log", "checkpoint_a", "checkpoint_b") and name not in DETECTOR:
            check(isinstance(record[name], str), name + " is not a text")
    check(record["version"] == "hearsay/conflict/v1", "another version")
    check(record["kind"] in ("same_size", "cross_size"), "another kind")
    shape(record["log"], ["origin", "vkey"], "log")
    texts = list(record["log"].values())
    for half in (record["checkpoint_a"], record["checkpoint_b"]):
        shape(half, ["size", "root", "note"], "checkpoint")
        texts += half.values()
    if cross:
        shape(record["consistency"], ["implied_root", "proof"], "consistency")
        check(isinstance(record["consistency"]["proof"], list), "proof is not a list")
        texts += [record["consistency"]["implied_root"]] + record["consistency"]["proof"]
    absent = [record[name] is None for name in DETECTOR]
    check(all(absent) or not any(absent), "some of the detector's members are null")
    texts += [] if all(absent) else [record[name] for name in DETECTOR]
    check(all(isinstance(text, str) for text in texts), "a value that is not a text")
    for name in ("source_a", "source_b"):
        bad = [c for c in record[name] if unicodedata.category(c) == "Cc" or c in "\u2028\u2029"]
        check(len(record[name]) <= 256 and not bad, name + " is not one line of 256 characters")
    check(re.fullmatch("[0-9a-f]{64}", record["evidence_id"]), "evidence_id is not an id")
    date = re.fullmatch(
        r"\d{4}-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.\d{1,9})?Z", record["detected_at"], re.A
    )
    check(date, "detected_at is no date")
    month, day, hour, minute, second = map(int, date.groups())
    check(1 <= month <= 12 and 1 <= day <= 31, "detected_at is no date")
    check(hour <= 23 and minute <= 59 and second <= 60, "detected_at is no time")


def judge_record(text, log):
    """Judges a record in the order of section 11. It gives lines for a person, or refuses."""
    record = read_json(text)
    record_format(record)
    stated = Key(record["log"]["vkey"])
    check(stated.key == log.key.key and record["log"]["origin"] == log.origin, "another log")
    log = Log(record["log"]["vkey"] + " " + record["log"]["origin"])
    halves = []
    for name in ("checkpoint_a", "checkpoint_b"):
        half = record[name]
        checkpoint = open_note(log, half["note"])
        check(checkpoint, name + ": the log has not signed it")
        beside = (read_size(half["size"]), unbase64(half["root"], 32))
        check(beside == (checkpoint.size, checkpoint.root), name + ": the note says otherwise")
        halves.append(checkpoint)
    older, newer = sorted(halves, key=lambda checkpoint: checkpoint.size)
    check(older.root != newer.root, "the two roots are the same")
    if record["kind"] == "same_size":
        check(older.size == newer.size, "the two sizes differ")
    else:
        proof = [unbase64(one, 32) for one in record["consistency"]["proof"]]
        stated_root = unbase64(record["consistency"]["implied_root"], 32)
        check(stated_root != older.root, "the implied root is that of the checkpoint")
        led = implied_root(older.size, newer.size, stated_root, newer.root, proof)
        check(led == stated_root, "the proof implies another root")
    identifier = evidence_id(log, *halves)
    check(record["evidence_id"] == identifier, "another evidence id: " + identifier)
    detector = "nobody"
    if record["detector_vkey"] is not None:
        key = Key(record["detector_vkey"])
        named = (record["detector_id"], record["key_id"])
        check((key.name, key.id_hex) == named, "not the detector's key")
        unsigned = {name: record[name] for name in record if name != "evidence_signature"}
        signed = b"hearsay/conflict-record/v1\n" + canonical(unsigned)
        signature = unbase64(record["evidence_signature"])
        check(key.verifies(signed, signature), "the detector has not signed")
        detector = key.name
    return [
        "holds %s" % record["kind"],
        "a %s" % halves[0],
        "b %s" % halves[1],
        "evidence_id %s" % identifier,
        "detector %s" % detector,
        "second-opinion none: this client has one implementation of Ed25519",
    ]


# ---- 5 and 6: on the wire ----------------------------------------------------------------------


def converse(address, data):
    """Sends the bytes, closes the writing side, and reads to the end."""
    host, _, port = address.rpartition(":")
    with socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS) as connection:
        end = time.monotonic() + EXCHANGE_SECONDS
        parts = []
        try:
            connection.settimeout(EXCHANGE_SECONDS)
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            while sum(map(len, parts)) <= MAX_PARCEL_BYTES:
                connection.settimeout(max(0.001, end - time.monotonic()))
                part = connection.recv(65536)
                if not part:
                    break
                parts.append(part)
        except (ConnectionResetError, BrokenPipeError):
            pass  # 9: a refusal may come as a reset
        return b"".join(parts)


def item(kind, body):
    return bytes([kind]) + len(body).to_bytes(4, "big") + body


def standing(word, log, checkpoint):
    """A checkpoint in item 7."""
    return bytes([word]) + log.hash() + checkpoint.size.to_bytes(8, "big") + checkpoint.root


def read_parcel(data):
    """The items of a parcel, those of unknown kinds too."""
    check(data, "nothing came: a refusal")
    check(data[0] == 0x81, "not a parcel of version 1: 0x%02x" % data[0])
    check(len(data) <= MAX_PARCEL_BYTES, "a parcel that is too long")
    items, at = [], 1
    while at < len(data):
        kind, length = data[at], int.from_bytes(data[at + 1 : at + 5], "big")
        body = data[at + 5 : at + 5 + length]
        check(at + 5 <= len(data) and len(body) == length, "a parcel that ends within an item")
        check(length <= LIMITS.get(kind, MAX_UNKNOWN_ITEM_BYTES), "an item that is too long")
        if kind in (4, 5):
            check(length % 32 == 0, "a list that is not a multiple of 32 bytes")
            check(kind not in [other for other, _ in items], "a second list")
        if kind == 6:
            software = body[START_ID_BYTES:]
            check(software and all(0x20 <= one <= 0x7E for one in software), "not printable ASCII")
            check(kind not in [other for other, _ in items], "a second item about the sender")
        if kind == 7:
            check(length % HEAD_BYTES == 0, "a list that is not a multiple of 73 bytes")
            check(kind not in [other for other, _ in items], "a second list")
            sizes = [int.from_bytes(body[at + 33 : at + 41], "big") for at in range(0, length, HEAD_BYTES)]
            check(all(size < 2**63 for size in sizes), "a size beyond 2^63 - 1")
        items.append((kind, body))
        check(len(items) <= MAX_ITEMS, "too many items")
        at += 5 + length
    return items


def show_parcel(data, logs, sent=None):
    """Judges and prints an answer. `sent` is the checkpoint that was shown, if there was one."""
    items = read_parcel(data)
    print("parcel %d items" % len(items))
    for kind, body in items:
        name = KINDS.get(kind, "kind-%d" % kind)
        if kind == 1:
            # Another log may share the key but not the origin; its note is not this one's.
            origin = utf8(body).partition("\n")[0]
            for log in [log for log in logs if log.origin == origin]:
                checkpoint = open_note(log, utf8(body))
                if checkpoint:
                    print("note %s" % checkpoint)
                    show_contradiction(log, sent, checkpoint)
                    break
            else:
                print("note passed over")
        elif kind == 3:
            record = read_json(utf8(body))
            about = record.get("log")
            mine = [log for log in logs if about == {"origin": log.origin, "vkey": log.key.vkey}]
            if mine and record.get("version") == "hearsay/conflict/v1":
                print("record " + "; ".join(judge_record(utf8(body), mine[0])))
            else:
                print("record passed over")
        elif kind in (4, 5):
            for at in range(0, len(body), 32):
                one = body[at : at + 32]
                mine = [log for log in logs if kind == 5 and log.hash() == one]
                print(name, one.hex(), *[log.origin for log in mine])
        elif kind == 6:
            start_id, software = body[:START_ID_BYTES], body[START_ID_BYTES:]
            print("about", start_id.hex(), software.decode("ascii"))
        elif kind == 7:
            for at in range(0, len(body), HEAD_BYTES):
                one = body[at : at + HEAD_BYTES]
                size, root = int.from_bytes(one[33:41], "big"), b64(one[41:])
                if one[0] in STANDINGS and one[1:33] in [log.hash() for log in logs]:
                    print("settled %s %d %s" % (STANDINGS[one[0]], size, root))
        else:
            print("%s %d bytes passed over" % (name, len(body)))


def show_contradiction(log, one, other):
    if one and other and one.size == other.size and one.root != other.root:
        print("CONTRADICTION evidence_id %s" % evidence_id(log, one, other))


def exchange(address, log, words):
    frames = [bytes(FRAME_BYTES) if word == "nothing" else bytes.fromhex(word) for word in words]
    check(len(frames) <= MAX_FRAMES, "too many frames")
    answer = converse(address, b"".join(frames))
    failed = None
    for at, frame in enumerate(frames):
        reply = answer[at * FRAME_BYTES : (at + 1) * FRAME_BYTES]
        if len(reply) < FRAME_BYTES:
            raise Refused("%d of %d frames were answered, then closed" % (at, len(frames)))
        try:
            told = read_frame(log, reply)
        except Refused as why:
            if frame != bytes(FRAME_BYTES):
                raise
            print("answer of another log, ignored (%s)" % why)
            continue
        print("answer %s" % (told or "nothing"))
        try:
            show_contradiction(log, read_frame(log, frame), told)
        except Refused as why:
            failed = why  # our own frame was not one of this log, and it was answered
    check(failed is None, "a frame that does not verify was answered")
    check(len(answer) == len(frames) * FRAME_BYTES, "more was answered than was sent")


# ---- the commands ------------------------------------------------------------------------------


def read_file(name):
    data = sys.stdin.buffer.read() if name == "-" else open(name, "rb").read()
    return utf8(data)


def main(command, *words):
    if command == "key":
        log = Log(words[0])
        print("name %s\nid %s\ntype 01" % (log.key.name, log.key.id_hex))
        print("public %s" % log.key.public.hex())
        print("origin %s\nlog-hash %s" % (log.origin, log.hash().hex()))
    elif command == "text":
        sys.stdout.write(text_of(Log(words[0]), read_size(words[1]), unbase64(words[2], 32)))
    elif command == "frame":
        data = bytes.fromhex(words[1])
        check(data and len(data) % FRAME_BYTES == 0, "no whole number of frames")
        for at in range(0, len(data), FRAME_BYTES):
            checkpoint = read_frame(Log(words[0]), data[at : at + FRAME_BYTES])
            print("frame %s" % (checkpoint or "nothing"))
    elif command in ("frame-of", "note", "ask", "settled"):
        *address, notation, file = words[: 2 if command == "frame-of" else 3]
        log, note = Log(notation), read_file(file)
        checkpoint = open_note(log, note)
        check(checkpoint, "the log has not signed this note")
        if command == "frame-of":
            print(frame_of(log, checkpoint).hex())
            return
        parcel = b"\x81" + item(1, note.encode())
        if command == "ask":
            parcel += item(4, b"".join(bytes.fromhex(known) for known in words[3:]))
        elif command == "settled":
            parcel += item(7, standing(0, log, checkpoint))
        show_parcel(converse(address[0], parcel), [log], checkpoint)
    elif command == "note-of":
        log = Log(words[0])
        checkpoint = read_frame(log, bytes.fromhex(words[1]))
        check(checkpoint, "the zero frame is no checkpoint")
        sys.stdout.buffer.write(note_of(log, checkpoint).encode())
    elif command == "exchange":
        exchange(words[0], Log(words[1]), words[2:])
    elif command == "greet":
        logs = [Log(word) for word in words[1:]]
        parcel = b"\x81" + item(5, b"".join(log.hash() for log in logs))
        show_parcel(converse(words[0], parcel), logs)
    elif command == "hand":
        log, text = Log(words[1]), read_file(words[2])
        for line in judge_record(text, log):
            print(line)
        parcel = b"\x81" + item(3, canonical(read_json(text)))
        show_parcel(converse(words[0], parcel), [log])
    elif command == "raw":
        show_parcel(converse(words[0], bytes.fromhex(words[2])), [Log(words[1])])
    elif command == "record":
        for line in judge_record(read_file(words[1]), Log(words[0])):
            print(line)
    elif command == "verdicts":
        log = Log(words[0])
        for line in read_file(words[1]).split("\n")[:-1]:
            try:
                print(judge_record(line, log)[3])
            except Refused as why:
                print("refused: %s" % why)
    else:
        raise IndexError


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except Refused as why:
        print("refused: %s" % why, file=sys.stderr)
        sys.exit(1)
    except OSError as why:
        print("failed: %s" % why, file=sys.stderr)
        sys.exit(1)
    except (IndexError, TypeError, ValueError) as why:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
