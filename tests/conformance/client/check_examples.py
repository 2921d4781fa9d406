#!/usr/bin/env python3
"""Checks client.py against the examples of PROTOCOL.md: check_examples.py PROTOCOL.md"""

import re
import sys

import client
import session
from client import Refused, Log


class Examples(dict):
    """Bytes by name, which remember what was looked at."""

    def __init__(self, examples):
        super().__init__(examples)
        self.untouched = set(examples)

    def __getitem__(self, name):
        self.untouched.discard(name)
        return super().__getitem__(name)


def read_examples(document):
    """Every example's bytes by its name, written as section 1 says."""
    found = {}
    pattern = r"^Example `([^`]+)` \((hex|text|one line)\)[^\n]*:\n\n```text\n(.*?)```$"
    for name, how, block in re.findall(pattern, document, flags=re.M | re.S):
        found[name] = (how, block)
    done = {}

    def value(name):
        if name not in done:
            how, block = found[name]
            if how == "hex":
                block = re.sub(r"#.*", "", block)
                block = re.sub(r"<([^>]+)>", lambda m: value(m[1]).hex(), block)
                done[name] = bytes.fromhex("".join(block.split()))
            else:
                if how == "one line":
                    block = block.replace("\n", "")
                data = block.encode()
                done[name] = re.sub(rb"<([a-z0-9-]+)>", lambda m: value(m[1].decode()), data)
        return done[name]

    for name in found:
        value(name)
    return Examples(done)


def refuses(call, *words):
    try:
        call(*words)
    except Refused:
        return True
    return False


def main(path):
    e = read_examples(open(path, encoding="utf-8").read())
    results = []

    def same(what, one, other):
        results.append(one == other)
        print("%s %s" % ("ok  " if one == other else "FAIL", what))
        if one != other:
            print("     %r\n     %r" % (one, other))

    log = Log(e["log-notation"].decode())
    monitor = client.Key(e["monitor-vkey"].decode())
    same("log-vkey", log.key.vkey, e["log-vkey"].decode())
    same("monitor-vkey", monitor.name, "monitor.example.com/berlin")
    same("log-hash", log.hash(), e["log-hash"])
    same("log-hash-input", client.sha256(e["log-hash-input"]), e["log-hash"])
    points = {}
    for name in ("one-5", "one-7", "other-4", "other-5"):
        points[name] = client.open_note(log, e["note-" + name].decode())
        same("note-" + name, client.note_of(log, points[name]).encode(), e["note-" + name])
        if "frame-" + name in e:
            same("frame-" + name, client.frame_of(log, points[name]), e["frame-" + name])
            read = client.read_frame(log, e["frame-" + name])
            same("frame-%s read" % name, str(read), str(points[name]))
    one = points["one-5"]
    same("text-one-5", client.text_of(log, one.size, one.root).encode(), e["text-one-5"])
    same("exchange-request", len(e["exchange-request"]), 312)
    same("exchange-answer", len(e["exchange-answer"]), 312)
    nothing = b"\x81"
    same("empty-parcel", client.read_parcel(e["empty-parcel"]), [])
    same("unknown-parcel", client.read_parcel(e["unknown-parcel"]), [(127, b"abc")])
    same("greeting", nothing + client.item(5, log.hash()), e["greeting"])
    same(
        "greeting-answer",
        client.read_parcel(e["greeting-answer"]),
        [(5, log.hash()), (1, e["note-other-4"])],
    )
    about = client.item(6, bytes(range(16)) + b"hearsay/0.1.0")
    same("greeting-about", nothing + client.item(5, log.hash()) + about, e["greeting-about"])
    same(
        "greeting-about-answer",
        client.read_parcel(e["greeting-about-answer"]),
        [(6, bytes(range(0xF0, 0x100)) + b"hearsay/0.1.0"), (5, log.hash())],
    )
    same("note-parcel", nothing + client.item(1, e["note-other-5"]), e["note-parcel"])
    same("note-parcel-answer", client.read_parcel(e["note-parcel-answer"]), [(1, e["note-one-5"])])
    known = client.item(4, e["evidence-id-same-size"])
    same("question", nothing + client.item(1, e["note-one-7"]) + known, e["question"])
    same(
        "question-answer",
        client.read_parcel(e["question-answer"]),
        [(3, e["record-cross-size-4"]), (1, e["note-one-7"])],
    )
    for word, name in ((0, "settled-parcel"), (1, "settled-parcel-answer")):
        same(name, nothing + client.item(7, client.standing(word, log, points["one-5"])), e[name])
        same(name + " read", client.read_parcel(e[name])[0][0], 7)
    same("record-parcel", nothing + client.item(3, e["record-cross-size-4"]), e["record-parcel"])
    same("proof-parcel", client.read_parcel(e["proof-parcel"]), [(2, e["proof-4-7"])])
    proof = client.read_json(e["proof-4-7"].decode())
    roots = [client.unbase64(proof[name]["root"]) for name in ("older", "newer")]
    hashes = [client.unbase64(one) for one in proof["proof"]]
    same("proof-4-7", client.implied_root(4, 7, roots[0], roots[1], hashes), roots[0])
    for name, halves in (
        ("same-size", ("one-5", "other-5")),
        ("cross-size-4", ("other-4", "one-7")),
        ("cross-size-5", ("other-5", "one-7")),
    ):
        record, identifier = e["record-" + name], e["evidence-id-" + name].hex()
        computed = client.evidence_id(log, *(points[half] for half in halves))
        same("evidence-id-" + name, computed, identifier)
        if "evidence-id-%s-input" % name in e:
            digest = client.sha256(e["evidence-id-%s-input" % name]).hex()
            same("evidence-id-%s-input" % name, digest, identifier)
        lines = client.judge_record(record.decode(), log)
        same("record-" + name, lines[3], "evidence_id " + identifier)
        value = client.read_json(record.decode())
        same("record-%s is canonical" % name, client.canonical(value), record)
        if name == "same-size":
            del value["evidence_signature"]
            signed = b"hearsay/conflict-record/v1\n" + client.canonical(value)
            same("signed-bytes-hash", client.sha256(signed), e["signed-bytes-hash"])
        # Any text of the record that is changed, it does not hold.
        value = client.read_json(record.decode())
        for member in value:
            if isinstance(value[member], str):
                changed = dict(value, **{member: value[member] + "x"})
                same(name + " with another " + member, refuses(
                    client.judge_record, client.canonical(changed).decode(), log), True)
    for at in (7, 8, 39, 40, 103):
        frame = bytearray(e["frame-one-5"])
        frame[at] ^= 1
        refused = refuses(client.read_frame, log, bytes(frame))
        same("frame-one-5, a bit of byte %d flipped" % at, refused, True)
    # The evidence file: its first line names it, its last line is the record.
    lines = e["evidence-file"].decode().splitlines()
    same("evidence-file", lines[0], "Hearsay evidence")
    same("evidence-file", lines[-1].encode(), e["record-same-size"])
    # The journals: each entry's hash is of its canonical JSON without the member.
    entries = ("incident-entry", "observation-entries", "repair-entry", "removal-entry", "step-entry")
    for name in entries:
        for line in e[name].decode().splitlines():
            entry = client.read_json(line)
            same(name + " is canonical", client.canonical(entry).decode(), line)
            given = entry.pop("hash")
            same(name, client.sha256(client.canonical(entry)).hex(), given)
    # A step of an incident: signed by the monitor that it names.
    step = dict(client.read_json(e["step-entry"].decode())["record"])
    signature = client.unbase64(step.pop("signature"), 64)
    signed = b"hearsay/transition/v1\n" + client.canonical(step)
    monitor = client.Key(step["monitor"])
    same("the step's signature", monitor.verifies(signed, signature), True)
    same("another step's signature", monitor.verifies(signed + b" ", signature), False)
    # A repair: signed by the monitor that it names, for the place where it stands.
    entry = client.read_json(e["repair-entry"].decode())
    before = client.read_json(e["incident-entry"].decode())
    repaired = dict(entry["record"]["repaired"])
    signature = client.unbase64(repaired.pop("signature"), 64)
    signed = b"hearsay/repair/v1\n" + client.canonical(repaired)
    monitor = client.Key(repaired["by"])
    same("the repair's signature", monitor.verifies(signed, signature), True)
    same("another repair's signature", monitor.verifies(signed + b" ", signature), False)
    same("the repair's place", repaired["after"], {"seq": 1, "hash": before["hash"]})
    # A statement: the body is hashed, the note signs the hash, the whole has both.
    body = client.read_json(e["statement-body"].decode())
    same("statement-body", client.canonical(body), e["statement-body"])
    same("statement-root-input", client.sha256(e["statement-root-input"]), e["statement-root"])
    author, text = client.Key(e["monitor-vkey"].decode()), e["statement"].decode()
    same("statement", client.open_statement(author, text), (1767323045, 7, body))
    value = client.read_json(text)
    same("statement is canonical", client.canonical(value), e["statement"])
    same("statement-note", value["note"].encode(), e["statement-note"])
    for one, other in (("leave", "links"), ("05.678Z", "05.679Z"), ("\\n7\\n", "\\n8\\n")):
        changed = text.replace(one, other)
        same("statement, " + other, refuses(client.open_statement, author, changed), True)
    # A session: both ends are made here. This client cannot sign, so each proof is the example's, and
    # its signature is checked against what that end had to sign by then.
    proofs = {"caller": e["session-caller-proof"], "callee": e["session-callee-said"][5:141]}
    vkeys = {"caller": e["monitor-vkey"], "callee": e["callee-vkey"]}

    def sign(role, handshake_hash, static):
        signed = session.signed_bytes(role, handshake_hash, static, client.b64)
        if role == "caller":
            same("session-caller-signed", signed, e["session-caller-signed"])
        proof = proofs[role]
        key = client.Key(vkeys[role].decode())
        same("the proof of the " + role, key.verifies(signed, proof[:64]), True)
        same("the vkey of the " + role, proof[64:], vkeys[role])
        return proof

    keys = [bytes(range(first, first + 32)) for first in (0x60, 0x80, 0xa0, 0xc0)]
    for name, data in session.handshake(keys[:2], keys[2:], sign).items():
        same(name, data, e[name])
    same("every example was looked at", sorted(e.untouched), [])
    print("%d examples, %d checks, %d failed" % (len(e), len(results), results.count(False)))
    return 1 if False in results or not results else 0


sys.exit(main(sys.argv[1]))
