/**
 * The Noise Protocol Framework, revision 34 (noiseprotocol.org), as far as members need it: the
 * handshake XX over 25519, ChaChaPoly and SHA256. No library in pure JavaScript that is kept up has
 * it. The machine takes any pattern of its tokens, because the published test vectors are of several.
 *
 * A handshake is a conversation of three messages. The caller writes first:
 *
 *     const caller = new Handshake({ isInitiator: true, own, ephemeral, prologue });
 *     send(caller.write(new Uint8Array(0)));
 *     const payload = caller.read(received); // undefined: it was not written by who it should be
 *     send(caller.write(proof));
 *     const { sending, receiving, hash } = caller.finish();
 *
 * @module
 */
import { concat } from "@std/bytes/concat";
import { sha256 } from "../tlog/hashing.ts";
import { CHACHA_POLY, type Cipher, hkdfSha256, open, seal, TAG_BYTES } from "../world/aead.ts";
import { type KeyPair, X25519_BYTES } from "../world/x25519.ts";

/** Longest Noise message (section 3). */
export const MAX_MESSAGE_BYTES = 65_535;
const KEY_BYTES = 32;
/** The nonce that only `rekey` uses (section 4.2). */
const REKEY_NONCE = 2n ** 64n - 1n;
const NOTHING = new Uint8Array(0);

/** What a message does, in order (section 7.1). */
export type Token = "e" | "s" | "ee" | "es" | "se" | "ss" | "psk";

/** A handshake pattern. */
export interface Pattern {
  readonly name: string;
  /** What each side knows before: the initiator's and the responder's static key. */
  readonly known: { readonly initiator: boolean; readonly responder: boolean };
  /** The messages, the initiator's first, then in turns. */
  readonly messages: readonly (readonly Token[])[];
}

/** XX: both ends tell their static keys, encrypted; the responder first (section 7.5). */
export const XX: Pattern = {
  name: "XX",
  known: { initiator: false, responder: false },
  messages: [["e"], ["e", "ee", "s", "es"], ["s", "se"]],
};

/** One direction of a session: it seals, or it opens, each message under its own number. */
export class CipherState {
  readonly #cipher: Cipher;
  #key: Uint8Array | undefined;
  #nonce = 0n;

  constructor(cipher: Cipher, key?: Uint8Array) {
    this.#cipher = cipher;
    this.#key = key;
  }

  /** Whether it has a key: before that, it leaves everything as it is. */
  get hasKey(): boolean {
    return this.#key !== undefined;
  }

  /** Seals a message. @returns 16 bytes more than came */
  seal(plaintext: Uint8Array, data: Uint8Array = NOTHING): Uint8Array {
    if (this.#key === undefined) return plaintext;
    const sealed = seal(this.#cipher, { key: this.#key, nonce: this.#next(), data, plaintext });
    this.#nonce++;
    return sealed;
  }

  /** As `seal`, with a key and without data, into a target that is 16 bytes longer. */
  sealInto(target: Uint8Array, plaintext: Uint8Array): void {
    if (this.#key === undefined) throw new Error("there is no key yet");
    const sealing = { key: this.#key, nonce: this.#next(), data: NOTHING, plaintext };
    seal(this.#cipher, sealing, target);
    this.#nonce++;
  }

  /** Opens a message. @returns nothing if it is not the next one, or was changed on the way */
  open(message: Uint8Array, data: Uint8Array = NOTHING): Uint8Array | undefined {
    if (this.#key === undefined) return message;
    const opened = open(this.#cipher, { key: this.#key, nonce: this.#next(), data, message });
    if (opened !== undefined) this.#nonce++;
    return opened;
  }

  /** Takes a new key, made of the old one, which cannot be computed back (section 11.3). */
  rekey(): void {
    if (this.#key === undefined) throw new Error("there is no key yet");
    const zeros = new Uint8Array(KEY_BYTES);
    const fresh = { key: this.#key, nonce: REKEY_NONCE, data: NOTHING, plaintext: zeros };
    this.#key = seal(this.#cipher, fresh).slice(0, KEY_BYTES);
  }

  /** @throws RangeError after 2^64 - 1 messages */
  #next(): bigint {
    if (this.#nonce >= REKEY_NONCE) throw new RangeError("no number is left for a message");
    return this.#nonce;
  }
}

/** HKDF with two or three outputs (section 4.3, which says that it is that of RFC 5869). */
function hkdf(salt: Uint8Array, secret: Uint8Array, outputs: 2 | 3): Uint8Array[] {
  const all = hkdfSha256({ salt, secret, bytes: outputs * KEY_BYTES });
  return Array.from(
    { length: outputs },
    (_, i) => all.slice(i * KEY_BYTES, (i + 1) * KEY_BYTES),
  );
}

/** Section 5.2. */
class SymmetricState {
  readonly #cipher: Cipher;
  #chaining: Uint8Array;
  #hash: Uint8Array;
  #state: CipherState;

  constructor(protocol: string, cipher: Cipher) {
    const name = new TextEncoder().encode(protocol);
    const padded = new Uint8Array(KEY_BYTES);
    if (name.length <= KEY_BYTES) padded.set(name);
    this.#hash = name.length <= KEY_BYTES ? padded : sha256(name);
    this.#chaining = this.#hash;
    this.#cipher = cipher;
    this.#state = new CipherState(cipher);
  }

  get hash(): Uint8Array {
    return this.#hash;
  }

  get hasKey(): boolean {
    return this.#state.hasKey;
  }

  mixHash(data: Uint8Array): void {
    this.#hash = sha256(concat([this.#hash, data]));
  }

  mixKey(input: Uint8Array): void {
    const [chaining, key] = hkdf(this.#chaining, input, 2);
    this.#chaining = chaining!;
    this.#state = new CipherState(this.#cipher, key);
  }

  mixKeyAndHash(input: Uint8Array): void {
    const [chaining, hash, key] = hkdf(this.#chaining, input, 3);
    this.#chaining = chaining!;
    this.mixHash(hash!);
    this.#state = new CipherState(this.#cipher, key);
  }

  seal(plaintext: Uint8Array): Uint8Array {
    const sealed = this.#state.seal(plaintext, this.#hash);
    this.mixHash(sealed);
    return sealed;
  }

  open(message: Uint8Array): Uint8Array | undefined {
    const opened = this.#state.open(message, this.#hash);
    if (opened !== undefined) this.mixHash(message);
    return opened;
  }

  split(): [CipherState, CipherState] {
    const [first, second] = hkdf(this.#chaining, NOTHING, 2);
    return [new CipherState(this.#cipher, first), new CipherState(this.#cipher, second)];
  }
}

/** What a handshake leads to. */
export interface Session {
  readonly sending: CipherState;
  readonly receiving: CipherState;
  /** The other end's static key. */
  readonly remote: Uint8Array;
  /** What both ends have in common of the handshake, and of no other (section 11.2). */
  readonly hash: Uint8Array;
}

/** The other's key is a point of small order: with it there is no secret, whatever our key is. */
export class NoSecret extends Error {}

/** One end of a handshake (section 5.3). Whatever `read` refuses ends it. */
export class Handshake {
  readonly #symmetric: SymmetricState;
  readonly #isInitiator: boolean;
  readonly #own: KeyPair;
  readonly #ephemeral: KeyPair;
  readonly #usesPsk: boolean;
  readonly #psk: Uint8Array | undefined;
  #messages: readonly (readonly Token[])[];
  #isWriting: boolean;
  #remoteStatic: Uint8Array | undefined;
  #remoteEphemeral: Uint8Array | undefined;
  #isRefused = false;

  /**
   * @param own the static key of this end
   * @param ephemeral a key made for this one handshake
   * @param prologue what both ends must have agreed on before; not sent
   * @param remote the other's static key, for patterns in which it is known before
   * @param psk 32 bytes, for patterns with a shared key
   */
  constructor(
    { isInitiator, own, ephemeral, prologue, remote, psk, pattern = XX, cipher = CHACHA_POLY }: {
      isInitiator: boolean;
      own: KeyPair;
      ephemeral: KeyPair;
      prologue: Uint8Array;
      remote?: Uint8Array;
      psk?: Uint8Array;
      pattern?: Pattern;
      cipher?: Cipher;
    },
  ) {
    this.#symmetric = new SymmetricState(
      `Noise_${pattern.name}_25519_${cipher.name}_SHA256`,
      cipher,
    );
    this.#isInitiator = isInitiator;
    this.#own = own;
    this.#ephemeral = ephemeral;
    this.#usesPsk = pattern.messages.some((tokens) => tokens.includes("psk"));
    this.#psk = psk;
    this.#messages = pattern.messages;
    this.#isWriting = isInitiator;
    this.#symmetric.mixHash(prologue);
    const { initiator, responder } = pattern.known;
    if (isInitiator ? responder : initiator) this.#remoteStatic = remote;
    if (initiator) this.#symmetric.mixHash(isInitiator ? own.publicKey : remote!);
    if (responder) this.#symmetric.mixHash(isInitiator ? remote! : own.publicKey);
  }

  /** The other's static key, once it is known. */
  get remote(): Uint8Array | undefined {
    return this.#remoteStatic;
  }

  /** What both ends have in common of the handshake so far (section 11.2). */
  get hash(): Uint8Array {
    return this.#symmetric.hash;
  }

  /**
   * The next message to send.
   * @throws RangeError if it would be too long; NoSecret if the other's key fits no key of anybody
   */
  write(payload: Uint8Array): Uint8Array {
    const parts = this.#tokens(true).map((token) => this.#writeToken(token));
    const message = concat([...parts, this.#symmetric.seal(payload)]);
    if (message.length <= MAX_MESSAGE_BYTES) return message;
    throw new RangeError(`a message of ${message.length} bytes`);
  }

  /**
   * Reads the message that was received.
   * @returns its payload; nothing if it was not made by whom it should be, for this handshake
   */
  read(message: Uint8Array): Uint8Array | undefined {
    const payload = message.length > MAX_MESSAGE_BYTES ? undefined : this.#read(message);
    this.#isRefused = payload === undefined;
    return payload;
  }

  /** The session that the handshake has led to. @throws Error before its last message */
  finish(): Session {
    if (this.#isRefused || this.#messages.length > 0) {
      throw new Error("the handshake has not ended");
    }
    const [first, second] = this.#symmetric.split();
    const [sending, receiving] = this.#isInitiator ? [first, second] : [second, first];
    return { sending, receiving, remote: this.#remoteStatic!, hash: this.#symmetric.hash };
  }

  #tokens(isWriting: boolean): readonly Token[] {
    const [tokens, ...rest] = this.#messages;
    if (this.#isRefused || tokens === undefined || this.#isWriting !== isWriting) {
      throw new Error(`it is not for this end to ${isWriting ? "write" : "read"} now`);
    }
    this.#messages = rest;
    this.#isWriting = !isWriting;
    return tokens;
  }

  #writeToken(token: Token): Uint8Array {
    switch (token) {
      case "e":
        this.#mixEphemeral(this.#ephemeral.publicKey);
        return this.#ephemeral.publicKey;
      case "s":
        return this.#symmetric.seal(this.#own.publicKey);
      default:
        // Theirs may be one of the points of small order. Nothing was computed with it before.
        if (!this.#mix(token)) throw new NoSecret(`no secret for ${token}`);
        return NOTHING;
    }
  }

  #read(message: Uint8Array): Uint8Array | undefined {
    let rest = message;
    const take = (length: number): Uint8Array | undefined => {
      if (rest.length < length) return undefined;
      const part = rest.slice(0, length);
      rest = rest.subarray(length);
      return part;
    };
    for (const token of this.#tokens(false)) {
      if (!this.#readToken(token, take)) return undefined;
    }
    return this.#symmetric.open(rest);
  }

  #readToken(token: Token, take: (length: number) => Uint8Array | undefined): boolean {
    switch (token) {
      case "e":
        this.#remoteEphemeral = take(X25519_BYTES);
        if (this.#remoteEphemeral === undefined) return false;
        this.#mixEphemeral(this.#remoteEphemeral);
        return true;
      case "s": {
        const part = take(X25519_BYTES + (this.#symmetric.hasKey ? TAG_BYTES : 0));
        this.#remoteStatic = part && this.#symmetric.open(part);
        return this.#remoteStatic !== undefined;
      }
      default:
        return this.#mix(token);
    }
  }

  #mixEphemeral(publicKey: Uint8Array): void {
    this.#symmetric.mixHash(publicKey);
    // Section 9.2: where a shared key is used, the ephemeral key makes each key a new one.
    if (this.#usesPsk) this.#symmetric.mixKey(publicKey);
  }

  /** Mixes in a secret that both ends can compute. @returns whether there is one */
  #mix(token: Exclude<Token, "e" | "s">): boolean {
    if (token === "psk") {
      this.#symmetric.mixKeyAndHash(this.#psk!);
      return true;
    }
    // The first letter is the initiator's key, the second the responder's.
    const [mine, theirs] = this.#isInitiator ? [token[0], token[1]] : [token[1], token[0]];
    const pair = mine === "e" ? this.#ephemeral : this.#own;
    const secret = pair.agree((theirs === "e" ? this.#remoteEphemeral : this.#remoteStatic)!);
    if (secret === undefined) return false;
    this.#symmetric.mixKey(secret);
    return true;
  }
}
