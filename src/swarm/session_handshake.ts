/**
 * The beginning of a session: three messages of Noise XX, each as long as a cell, and the proof of
 * each end (PROTOCOL section 16). The caller proves itself first. So it is the callee that decides
 * whom it tells its name.
 *
 * @module
 */
import { concat } from "@std/bytes/concat";
import { equals } from "@std/bytes/equals";
import { utf8 } from "../tlog/encoding.ts";
import { MalformedError } from "../tlog/malformed.ts";
import type { Vkey } from "../tlog/vkey.ts";
import { TAG_BYTES } from "../world/aead.ts";
import type { Signer } from "../world/signer.ts";
import { type Clock, type Connection, type Random, WorldError } from "../world/world.ts";
import { type KeyPair, keyPair, X25519_BYTES } from "../world/x25519.ts";
import { CELL_BYTES, CellOpener, CellSealer } from "./cell.ts";
import { isZero, makeProof, openProof, padProof, SESSION_DOMAIN, unpadProof } from "./identity.ts";
import { Incoming } from "./incoming.ts";
import { Handshake, NoSecret } from "./noise.ts";
import { SessionFault } from "./session_fault.ts";
import { SESSION_LIMITS, type SessionLimits } from "./session_limits.ts";
import { encodeMessage, KIND, MESSAGE_HEADER_BYTES } from "./session_message.ts";

/** The bits of a connection's first byte that say it is a session. */
const SESSION_BITS = 0xc0;
const VERSION_BITS = 0x3f;
const VERSION = 1;
/** The first byte of a session of this version. */
export const SESSION_FIRST_BYTE = SESSION_BITS | VERSION;

/** Whether a connection that begins with this byte is a session, of whatever version. */
export function isSession(firstByte: number): boolean {
  return (firstByte & SESSION_BITS) === SESSION_BITS;
}

/** What each of the three messages has room for besides its keys. */
const PAYLOAD_BYTES = [
  CELL_BYTES - X25519_BYTES,
  CELL_BYTES - 2 * X25519_BYTES - 2 * TAG_BYTES,
  CELL_BYTES - X25519_BYTES - 2 * TAG_BYTES,
] as const;

/** One end of all its sessions. */
export interface SessionParty {
  readonly clock: Clock;
  readonly random: Random;
  readonly signer: Signer;
  /** Made at the start of the process: see `newStaticKey`. */
  readonly staticKey: KeyPair;
  /** Without it, SESSION_LIMITS. */
  readonly limits?: SessionLimits;
}

/** A static key for the sessions of this process. It is not kept: the proofs say whose it is. */
export function newStaticKey(random: Random): KeyPair {
  return keyPair(random.bytes(X25519_BYTES));
}

/** What a handshake leads to. */
export interface Agreed {
  readonly sealer: CellSealer;
  readonly opener: CellOpener;
  readonly incoming: Incoming;
  /** The proven other end. */
  readonly member: Vkey;
  /** Whether the callee admits the caller. If not, it is there to be told why. */
  readonly isAdmitted: boolean;
  /** Whether it is this monitor's own operator who calls. */
  readonly isControl: boolean;
  /** What the callee has to say before anything else. */
  readonly first: Uint8Array | undefined;
  /** What the first cell carried besides the proof. */
  readonly rest: Uint8Array;
}

/** Whom a caller means. */
export interface Call {
  /** Whoever else answers is refused. */
  readonly expected: Vkey;
  /** Whether it calls a monitor with its own key, to tell it what its operator wants. */
  readonly isControl: boolean;
}

/** Whom a callee answers. */
export interface Welcome {
  admits(vkey: Vkey): boolean;
  /** Whether somebody who is not admitted learns who this is, and may be told why. */
  readonly speaksToStrangers: boolean;
  /** Whether somebody with our own key is answered: over the local address only. */
  readonly takesControl: boolean;
}

/**
 * Runs a handshake within its time.
 * @throws SessionFault if it leads to nothing; then the connection is closed
 */
export async function shakeHands(
  { connection, party, begun, isCaller, run }: {
    connection: Connection;
    party: SessionParty;
    begun: Uint8Array | undefined;
    isCaller: boolean;
    run: (hand: Hand) => Promise<Agreed>;
  },
): Promise<Agreed> {
  const { handshakeMs } = party.limits ?? SESSION_LIMITS;
  let isLate = false;
  const timer = party.clock.after(handshakeMs, () => {
    isLate = true;
    connection.close();
  });
  try {
    return await run(new Hand({ connection, party, begun, isCaller }));
  } catch (error) {
    connection.close();
    if (isLate) {
      throw new SessionFault("late", `the handshake was not finished within ${handshakeMs} ms`);
    }
    if (error instanceof WorldError) throw new SessionFault("broken", error.message);
    throw error;
  } finally {
    timer.cancel();
  }
}

/** One end of one handshake. */
export class Hand {
  readonly #connection: Connection;
  readonly #party: SessionParty;
  readonly #noise: Handshake;
  readonly #incoming: Incoming;
  readonly #isCaller: boolean;
  /** Of the message that is next. */
  #number = 0;

  constructor({ connection, party, begun, isCaller }: {
    connection: Connection;
    party: SessionParty;
    begun: Uint8Array | undefined;
    isCaller: boolean;
  }) {
    this.#connection = connection;
    this.#party = party;
    this.#isCaller = isCaller;
    this.#incoming = new Incoming(connection, begun);
    this.#noise = new Handshake({
      isInitiator: isCaller,
      own: party.staticKey,
      ephemeral: keyPair(party.random.bytes(X25519_BYTES)),
      prologue: utf8(SESSION_DOMAIN),
    });
  }

  /** The caller's side. */
  async call({ expected, isControl }: Call): Promise<Agreed> {
    if (this.#isOwnKey(expected) !== isControl) {
      throw new SessionFault("own key", "a monitor calls its own key for control, and for no more");
    }
    const first = this.#write(new Uint8Array(PAYLOAD_BYTES[0]));
    await this.#connection.write(concat([Uint8Array.of(SESSION_FIRST_BYTE), first]));
    await this.#readEmpty();
    const proof = await makeProof({ signer: this.#party.signer, proven: this.#proven(true) });
    await this.#connection.write(this.#write(padProof(proof, PAYLOAD_BYTES[2])));
    const cells = this.#cells();
    const { member, rest } = await this.#readIdentity(cells.opener);
    if (member.text !== expected.text) {
      throw new SessionFault(
        "another",
        `expected ${expected.text}, ${member.text} answered`,
      );
    }
    return {
      ...{ ...cells, member, rest, isAdmitted: true, isControl },
      ...{ incoming: this.#incoming, first: undefined },
    };
  }

  /** The callee's side. */
  async answer({ admits, speaksToStrangers, takesControl }: Welcome): Promise<Agreed> {
    await this.#readFirstByte();
    await this.#readEmpty();
    await this.#connection.write(this.#write(new Uint8Array(PAYLOAD_BYTES[1])));
    const proven = this.#proven(false);
    const payload = await this.#read();
    const member = orUnproven(() =>
      openProof({
        proof: unpadProof(payload),
        proven: { ...proven, staticKey: this.#noise.remote! },
      })
    );
    const isControl = this.#isOwnKey(member);
    if (isControl && !takesControl) {
      throw new SessionFault("own key", `it has our own key, as ${member.name}`);
    }
    const isAdmitted = isControl || admits(member);
    if (!isAdmitted && !speaksToStrangers) {
      throw new SessionFault("unknown", `${member.text} is not admitted here`);
    }
    const cells = this.#cells();
    const proof = await makeProof({ signer: this.#party.signer, proven: this.#proven(true) });
    const first = encodeMessage(KIND.identity, proof);
    const rest = new Uint8Array(0);
    return { ...cells, incoming: this.#incoming, member, isAdmitted, isControl, first, rest };
  }

  #isOwnKey({ publicKey }: Vkey): boolean {
    return equals(publicKey, this.#party.signer.vkey.publicKey);
  }

  /** What an end proves now: this one, or the other one as far as its key is known. */
  #proven(isOurs: boolean) {
    const role: "caller" | "callee" = isOurs === this.#isCaller ? "caller" : "callee";
    const staticKey = isOurs ? this.#party.staticKey.publicKey : this.#noise.remote!;
    return { role, hash: this.#noise.hash, staticKey };
  }

  #cells(): { sealer: CellSealer; opener: CellOpener } {
    const { cellsPerKey } = this.#party.limits ?? SESSION_LIMITS;
    const { sending, receiving } = this.#noise.finish();
    return {
      sealer: new CellSealer(sending, cellsPerKey),
      opener: new CellOpener(receiving, cellsPerKey),
    };
  }

  async #readFirstByte(): Promise<void> {
    const first = (await this.#next(1))[0]!;
    if (!isSession(first)) {
      throw new SessionFault("no session", `it begins with byte ${first}, which is no session`);
    }
    if (first === SESSION_FIRST_BYTE) return;
    const version = first & VERSION_BITS;
    throw new SessionFault("version", `it speaks version ${version}, and this is ${VERSION}`);
  }

  /** Reads a message that carries keys and nothing else. */
  async #readEmpty(): Promise<void> {
    if (isZero(await this.#read())) return;
    throw new SessionFault("malformed", `message ${this.#number} is filled with other than zeros`);
  }

  /** Reads a message of the handshake, and gives its payload. */
  async #read(): Promise<Uint8Array> {
    const message = await this.#next(CELL_BYTES);
    this.#number++;
    const payload = this.#noise.read(message);
    if (payload !== undefined) return payload;
    throw new SessionFault("changed", `message ${this.#number} was not made for this handshake`);
  }

  #write(payload: Uint8Array): Uint8Array {
    this.#number++;
    try {
      return this.#noise.write(payload);
    } catch (error) {
      if (!(error instanceof NoSecret)) throw error;
      throw new SessionFault("changed", `${error.message}: its key is of small order`);
    }
  }

  async #next(count: number): Promise<Uint8Array> {
    const bytes = await this.#incoming.next(count);
    if (bytes !== undefined) return bytes;
    throw new SessionFault("closed", "it closed the connection during the handshake");
  }

  /** Reads the callee's proof, which is the first thing in its first cell, and whole in there. */
  async #readIdentity(opener: CellOpener): Promise<{ member: Vkey; rest: Uint8Array }> {
    const proven = this.#proven(false);
    const cell = await this.#incoming.next(CELL_BYTES);
    if (cell === undefined) {
      throw new SessionFault("closed", "it closed the connection instead of saying who it is");
    }
    const said = opener.open(cell);
    const bodyAt = MESSAGE_HEADER_BYTES;
    const end = said.length < bodyAt
      ? Infinity
      : bodyAt + new DataView(said.buffer, said.byteOffset).getUint32(1);
    if (said[0] !== KIND.identity || end > said.length) {
      throw new SessionFault("unproven", "its first cell does not begin with its proof");
    }
    const member = orUnproven(() => openProof({ proof: said.slice(bodyAt, end), proven }));
    return { member, rest: said.slice(end) };
  }
}

function orUnproven<T>(open: () => T): T {
  try {
    return open();
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    throw new SessionFault("unproven", error.message);
  }
}
