"""The beginning of a session (PROTOCOL section 16), in plain Python and from that page alone.

X25519 is RFC 7748, ChaCha20-Poly1305 is RFC 8439, the handshake is Noise revision 34.
"""

import hashlib
import hmac
import struct

P = 2**255 - 19
MESSAGE = 1024


def x25519(private, public):
    k = bytearray(private)
    k[0] &= 248
    k[31] = k[31] & 127 | 64
    scalar = int.from_bytes(k, "little")
    u = int.from_bytes(public, "little") & 2**255 - 1
    x2, z2, x3, z3, swap = 1, 0, u, 1, 0
    for at in reversed(range(255)):
        bit = scalar >> at & 1
        if swap ^ bit:
            x2, x3, z2, z3 = x3, x2, z3, z2
        swap = bit
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        da, cb, aa, bb = d * a % P, c * b % P, a * a % P, b * b % P
        e = aa - bb
        x3, z3 = (da + cb) ** 2 % P, u * (da - cb) ** 2 % P
        x2, z2 = aa * bb % P, e * (aa + 121665 * e) % P
    if swap:
        x2, z2 = x3, z3
    return (x2 * pow(z2, P - 2, P) % P).to_bytes(32, "little")


def public_key(private):
    return x25519(private, (9).to_bytes(32, "little"))


def rotated(value, by):
    return (value << by | value >> 32 - by) & 0xFFFFFFFF


def chacha_block(key, counter, nonce):
    start = list(struct.unpack("<4I", b"expand 32-byte k") + struct.unpack("<8I", key))
    start += [counter, *struct.unpack("<3I", nonce)]
    s = list(start)

    def quarter(a, b, c, d):
        for x, y, z, by in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            s[x] = s[x] + s[y] & 0xFFFFFFFF
            s[z] = rotated(s[z] ^ s[x], by)

    for _ in range(10):
        for i in range(4):
            quarter(i, 4 + i, 8 + i, 12 + i)
        for i in range(4):
            quarter(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return struct.pack("<16I", *(one + other & 0xFFFFFFFF for one, other in zip(s, start)))


def poly1305(key, data):
    r = int.from_bytes(key[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    total = 0
    for at in range(0, len(data), 16):
        total = (total + int.from_bytes(data[at:at + 16] + b"\1", "little")) * r % (2**130 - 5)
    return ((total + int.from_bytes(key[16:], "little")) % 2**128).to_bytes(16, "little")


def seal(key, number, data, plaintext):
    nonce = bytes(4) + struct.pack("<Q", number)
    sealed = bytearray()
    for at in range(0, len(plaintext), 64):
        stream = chacha_block(key, 1 + at // 64, nonce)
        sealed += bytes(one ^ other for one, other in zip(plaintext[at:at + 64], stream))
    padded = b"".join(part + bytes(-len(part) % 16) for part in (data, bytes(sealed)))
    lengths = struct.pack("<QQ", len(data), len(sealed))
    return bytes(sealed) + poly1305(chacha_block(key, 0, nonce)[:32], padded + lengths)


def hkdf(chaining, secret):
    temporary = hmac.digest(chaining, secret, "sha256")
    first = hmac.digest(temporary, b"\1", "sha256")
    return first, hmac.digest(temporary, first + b"\2", "sha256")


class Transcript:
    """What both ends know of the handshake so far."""

    def __init__(self):
        name = b"Noise_XX_25519_ChaChaPoly_SHA256"
        self.hash = self.chaining = name + bytes(32 - len(name))
        self.mix(b"hearsay/session/v1\n")

    def mix(self, data):
        self.hash = hashlib.sha256(self.hash + data).digest()

    def agree(self, private, public):
        self.chaining, self.key = hkdf(self.chaining, x25519(private, public))
        self.number = 0

    def seal(self, plaintext):
        sealed = seal(self.key, self.number, self.hash, plaintext)
        self.number += 1
        self.mix(sealed)
        return sealed


def padded(data, length):
    return data + bytes(length - len(data))


def handshake(caller, callee, sign):
    """All that both ends send until the first cell of each.

    caller and callee are (static private key, ephemeral private key); sign(role, hash, static public
    key) gives the proof of that end. Gives by name what the examples show.
    """
    (caller_static, caller_ephemeral), (callee_static, callee_ephemeral) = caller, callee
    e, s = public_key(caller_ephemeral), public_key(caller_static)
    re, rs = public_key(callee_ephemeral), public_key(callee_static)
    t = Transcript()
    t.mix(e)
    one = e + bytes(MESSAGE - 32)
    t.mix(one[32:])
    t.mix(re)
    t.agree(caller_ephemeral, re)
    two = re + t.seal(rs)
    t.agree(caller_ephemeral, rs)
    two += t.seal(bytes(MESSAGE - len(two) - 16))
    hash_2 = t.hash
    three = t.seal(s)
    t.agree(caller_static, re)
    proof = sign("caller", hash_2, s)
    room = MESSAGE - len(three) - 16
    three += t.seal(padded(struct.pack(">H", len(proof)) + proof, room))
    hash_3 = t.hash
    from_caller, from_callee = hkdf(t.chaining, b"")
    identity = sign("callee", hash_3, rs)
    ping = struct.pack(">BI", 8, 8) + bytes(range(8))
    said = struct.pack(">BI", 1, len(identity)) + identity + ping

    def cell(key, carried):
        return seal(key, 0, b"", padded(struct.pack(">H", len(carried)) + carried, MESSAGE - 16))

    messages = {
        "message-1": one,
        "message-2": two,
        "message-3": three,
        "callee-cell-1": cell(from_callee, said),
        "caller-cell-1": cell(from_caller, ping),
    }
    return {
        "session-message-2-head": two[:80],
        "session-hash-2": hash_2,
        "session-caller-proof": proof,
        "session-hash-3": hash_3,
        "session-callee-said": said,
        **{
            "session-%s-sha256" % name: hashlib.sha256(data).digest()
            for name, data in messages.items()
        },
    }


def signed_bytes(role, handshake_hash, static, b64):
    """What an identity proof signs."""
    lines = ("hearsay/session/v1", role, b64(handshake_hash), b64(static))
    return "".join(line + "\n" for line in lines).encode()
