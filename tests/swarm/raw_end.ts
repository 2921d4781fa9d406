/**
 * An end of a session that says what a test tells it to, and not what the program would: for proofs
 * of something else, and messages that nobody may send.
 *
 * @module
 */
import { concat } from "@std/bytes/concat";
import { CELL_BYTES, CellOpener, CellSealer } from "../../src/swarm/cell.ts";
import { makeProof, padProof, type Proven, SESSION_DOMAIN } from "../../src/swarm/identity.ts";
import { Incoming } from "../../src/swarm/incoming.ts";
import { Handshake } from "../../src/swarm/noise.ts";
import { SESSION_FIRST_BYTE, SESSION_LIMITS, type SessionParty } from "../../src/swarm/session.ts";
import {
  encodeMessage,
  KIND,
  MessageDecoder,
  type SessionMessage,
} from "../../src/swarm/session_message.ts";
import { utf8 } from "../../src/tlog/encoding.ts";
import type { Connection } from "../../src/world/world.ts";
import { keyPair } from "../../src/world/x25519.ts";

/** What an end makes of what it should prove. */
export type MakeProof = (proven: Proven) => Promise<Uint8Array>;

/** How a raw end differs from an honest one. */
export interface RawOptions {
  readonly connection: Connection;
  readonly party: SessionParty;
  /** The proof; as it should be if missing. */
  readonly prove?: MakeProof;
  /** The whole payload of message 3, or the whole first cell's content, made of the proof. */
  readonly wrap?: (proof: Uint8Array) => Uint8Array;
}

/** What the payload of message 3 has room for. */
export const PROOF_PAYLOAD_BYTES = 960;

/** One end after its handshake. */
export class RawEnd {
  readonly connection: Connection;
  readonly sealer: CellSealer;
  readonly #opener: CellOpener;
  readonly #incoming: Incoming;
  readonly #decoder = new MessageDecoder(SESSION_LIMITS);
  readonly #heard: SessionMessage[] = [];

  constructor(
    { connection, noise, incoming }: {
      connection: Connection;
      noise: Handshake;
      incoming: Incoming;
    },
  ) {
    const { sending, receiving } = noise.finish();
    this.connection = connection;
    this.sealer = new CellSealer(sending);
    this.#opener = new CellOpener(receiving);
    this.#incoming = incoming;
  }

  /** Puts these bytes into cells. */
  async say(bytes: Uint8Array): Promise<void> {
    await this.connection.write(this.sealer.seal(bytes));
  }

  /** Sends one message. */
  async tell(kind: number, ...parts: readonly Uint8Array[]): Promise<void> {
    await this.say(encodeMessage(kind, ...parts));
  }

  /** What the next cell carries; nothing at the end. */
  async cell(): Promise<Uint8Array | undefined> {
    const cell = await this.#incoming.next(CELL_BYTES);
    return cell && this.#opener.open(cell);
  }

  /** The next message that is no ping. */
  async hear(): Promise<SessionMessage | undefined> {
    while (true) {
      const message = this.#heard.shift();
      if (message !== undefined && message.kind !== KIND.ping) return message;
      if (message !== undefined) continue;
      const said = await this.cell();
      if (said === undefined) return undefined;
      this.#heard.push(...this.#decoder.take(said));
    }
  }
}

function noiseOf({ party, isInitiator }: { party: SessionParty; isInitiator: boolean }): Handshake {
  return new Handshake({
    ...{ isInitiator, own: party.staticKey, prologue: utf8(SESSION_DOMAIN) },
    ephemeral: keyPair(party.random.bytes(32)),
  });
}

async function readMessage(noise: Handshake, incoming: Incoming): Promise<void> {
  const message = await incoming.next(CELL_BYTES);
  if (message === undefined || noise.read(message) === undefined) throw new Error("no handshake");
}

/** Calls. It does not look at the callee's proof. */
export async function rawCall(
  { connection, party, prove, wrap = (proof) => padProof(proof, PROOF_PAYLOAD_BYTES) }: RawOptions,
): Promise<RawEnd> {
  const noise = noiseOf({ party, isInitiator: true });
  const incoming = new Incoming(connection);
  const first = noise.write(new Uint8Array(CELL_BYTES - 32));
  await connection.write(concat([Uint8Array.of(SESSION_FIRST_BYTE), first]));
  await readMessage(noise, incoming);
  const proven: Proven = {
    ...{ role: "caller", hash: noise.hash, staticKey: party.staticKey.publicKey },
  };
  const proof = await (prove ?? ((proven) => makeProof({ signer: party.signer, proven })))(proven);
  await connection.write(noise.write(wrap(proof)));
  return new RawEnd({ connection, noise, incoming });
}

/** Answers anyone. */
export async function rawAnswer(
  { connection, party, prove, wrap = (proof) => encodeMessage(KIND.identity, proof) }: RawOptions,
): Promise<RawEnd> {
  const noise = noiseOf({ party, isInitiator: false });
  const incoming = new Incoming(connection);
  await incoming.next(1);
  await readMessage(noise, incoming);
  await connection.write(noise.write(new Uint8Array(CELL_BYTES - 96)));
  await readMessage(noise, incoming);
  const proven: Proven = {
    ...{ role: "callee", hash: noise.hash, staticKey: party.staticKey.publicKey },
  };
  const proof = await (prove ?? ((proven) => makeProof({ signer: party.signer, proven })))(proven);
  const end = new RawEnd({ connection, noise, incoming });
  await end.say(wrap(proof));
  return end;
}
