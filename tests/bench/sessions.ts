/**
 * What sessions cost: handshakes against bare X25519, and cells against bare ChaCha20-Poly1305.
 *
 * Where the time goes, both ends together in one thread:
 *
 * - Of a Noise handshake's 560 µs, 430 µs are X25519: two new keys and six secrets. The rest is eight
 *   HKDFs, sixteen hashes and four parts that are sealed and opened.
 * - To begin a session takes twice that. Two signatures are made, by WebCrypto, which does it in another
 *   thread: 75 to 135 µs each, of which the signature is 25 µs. To read and verify a proof takes 75 µs,
 *   twice. The first cells and the session's own parts are the rest. So this has no goal: most of what it
 *   does besides X25519 is no handshake.
 * - A cell goes from the writer of a stream to its reader: a message is put together, sealed, written,
 *   opened, taken apart and read.
 *
 * @module
 */
import {
  createCipheriv,
  createDecipheriv,
  createPrivateKey,
  createPublicKey,
  sign,
  verify,
} from "node:crypto";
import { CELL_BYTES, CELL_ROOM } from "../../src/swarm/cell.ts";
import { SESSION_DOMAIN } from "../../src/swarm/identity.ts";
import { Handshake } from "../../src/swarm/noise.ts";
import {
  answerSession,
  callSession,
  newStaticKey,
  type Session,
  SESSION_LIMITS,
  type SessionParty,
} from "../../src/swarm/session.ts";
import { utf8 } from "../../src/tlog/encoding.ts";
import { denoWorld } from "../../src/world/deno.ts";
import { generateSigner } from "../../src/world/signer.ts";
import type { Connection } from "../../src/world/world.ts";
import type { KeyPair } from "../../src/world/x25519.ts";
import { ManualClock } from "../gossip/fake_network.ts";
import type { Rates } from "./gathering.ts";

const HANDSHAKES = 100;
const STREAM_BYTES = 1_000 * CELL_ROOM;
const world = denoWorld();
const { random } = world;
const onStream = (): void => {};

/** One direction of a connection in memory that costs as little as it can. */
class Pipe {
  readonly #parts: Uint8Array[] = [];
  #wake: PromiseWithResolvers<void> | undefined;
  #isOver = false;
  bytes = 0;

  put(bytes: Uint8Array): void {
    this.bytes += bytes.length;
    this.#parts.push(bytes);
    this.#wake?.resolve();
    this.#wake = undefined;
  }

  end(): void {
    this.#isOver = true;
    this.#wake?.resolve();
  }

  async read(buffer: Uint8Array): Promise<number | undefined> {
    while (this.#parts.length === 0) {
      if (this.#isOver) return undefined;
      this.#wake ??= Promise.withResolvers();
      await this.#wake.promise;
    }
    const first = this.#parts[0]!;
    const part = first.subarray(0, buffer.length);
    buffer.set(part);
    if (part.length === first.length) this.#parts.shift();
    else this.#parts[0] = first.subarray(part.length);
    return part.length;
  }
}

function connections(): readonly [Connection, Connection, wire: () => number] {
  const pipes = [new Pipe(), new Pipe()] as const;
  const end = (reading: Pipe, writing: Pipe): Connection => ({
    remote: { hostname: "192.0.2.1", port: 9900 },
    read: (buffer) => reading.read(buffer),
    write: (bytes) => Promise.resolve(writing.put(bytes)),
    closeWrite: () => Promise.resolve(writing.end()),
    close: () => pipes.forEach((pipe) => pipe.end()),
  });
  return [end(pipes[1], pipes[0]), end(pipes[0], pipes[1]), () => pipes[0].bytes + pipes[1].bytes];
}

async function partyOf(name: string, clock: SessionParty["clock"]): Promise<SessionParty> {
  const { signer } = await generateSigner({ world, name });
  return { clock, random, signer, staticKey: newStaticKey(random) };
}

async function sessionBetween(
  parties: readonly SessionParty[],
  accept: (stream: Connection) => void = onStream,
): Promise<{ caller: Session; callee: Session; wire: () => number }> {
  const [near, far, wire] = connections();
  const [caller, callee] = await Promise.all([
    callSession({
      ...{ party: parties[0]!, connection: near, expected: parties[1]!.signer.vkey, onStream },
    }),
    answerSession({
      ...{ party: parties[1]!, connection: far, onStream: accept },
      ...{ admits: () => true, speaksToStrangers: false },
    }),
  ]);
  return { caller, callee, wire };
}

const rateOf = (count: number, since: number): number =>
  count / (performance.now() - since) * 1_000;

/** Bare X25519 of both ends: two new keys, three secrets at each end. */
function agreeBare(statics: readonly [KeyPair, KeyPair]): void {
  const [one, two] = [newStaticKey(random), newStaticKey(random)];
  for (const [mine, theirs] of [[one, two], [one, statics[1]], [statics[0], two]] as const) {
    mine.agree(theirs.publicKey);
    theirs.agree(mine.publicKey);
  }
}

/** Handshakes of Noise a second, both ends in one thread, and bare X25519 with as many keys. */
export function handshakeRates(): Rates {
  const statics = [newStaticKey(random), newStaticKey(random)] as const;
  let start = performance.now();
  for (let i = 0; i < HANDSHAKES; i++) agreeBare(statics);
  const baseline = rateOf(HANDSHAKES, start);
  start = performance.now();
  const [payload1, payload2, payload3] = [992, 928, 960].map((bytes) => new Uint8Array(bytes));
  for (let i = 0; i < HANDSHAKES; i++) {
    const [caller, callee] = [true, false].map((isInitiator) =>
      new Handshake({
        ...{ isInitiator, own: statics[isInitiator ? 0 : 1], ephemeral: newStaticKey(random) },
        prologue: utf8(SESSION_DOMAIN),
      })
    ) as [Handshake, Handshake];
    callee.read(caller.write(payload1!));
    caller.read(callee.write(payload2!));
    if (callee.read(caller.write(payload3!)) === undefined) throw new Error("no handshake");
    caller.finish();
    callee.finish();
  }
  return { rate: rateOf(HANDSHAKES, start), baseline };
}

/** Sessions begun a second, with their proofs, and bare X25519 and Ed25519 with as many keys. */
export async function sessionRates(): Promise<Rates> {
  const clock = new ManualClock();
  const parties = [await partyOf("one.example", clock), await partyOf("two.example", clock)];
  const keys = await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"]);
  const jwk = async (key: CryptoKey) => ({
    key: await crypto.subtle.exportKey("jwk", key) as Record<string, string>,
    format: "jwk" as const,
  });
  const own = createPrivateKey(await jwk((keys as CryptoKeyPair).privateKey));
  const other = createPublicKey(await jwk((keys as CryptoKeyPair).publicKey));
  const statics = [parties[0]!.staticKey, parties[1]!.staticKey] as const;
  const message = random.bytes(128);
  let start = performance.now();
  for (let i = 0; i < HANDSHAKES; i++) {
    agreeBare(statics);
    for (let end = 0; end < 2; end++) {
      if (!verify(null, message, other, sign(null, message, own))) throw new Error("no signature");
    }
  }
  const baseline = rateOf(HANDSHAKES, start);
  start = performance.now();
  for (let i = 0; i < HANDSHAKES; i++) {
    const { caller, callee } = await sessionBetween(parties);
    caller.close();
    callee.close();
  }
  return { rate: rateOf(HANDSHAKES, start), baseline };
}

/** Bare sealing and opening, with a nonce each, of as many bytes as a cell has. */
function cellsBare(count: number): void {
  const key = random.bytes(32);
  const nonce = new Uint8Array(12);
  const plaintext = new Uint8Array(CELL_BYTES);
  const options = { authTagLength: 16 };
  for (let i = 0; i < count; i++) {
    new DataView(nonce.buffer).setUint32(4, i, true);
    const sealing = createCipheriv("chacha20-poly1305", key, nonce, options);
    const sealed = sealing.update(plaintext);
    sealing.final();
    const opening = createDecipheriv("chacha20-poly1305", key, nonce, options);
    opening.setAuthTag(sealing.getAuthTag());
    opening.update(sealed);
    opening.final();
  }
}

/** Cells a second through a whole session, over a stream from its writer to its reader, and bare. */
export async function cellRates(): Promise<Rates> {
  const clock = new ManualClock();
  const parties = [await partyOf("one.example", clock), await partyOf("two.example", clock)];
  const accepted = Promise.withResolvers<Connection>();
  const { caller, callee, wire } = await sessionBetween(parties, accepted.resolve);
  const near = await caller.open();
  const far = await accepted.promise;
  const bytes = random.bytes(65_536);
  const before = wire();
  let start = performance.now();
  const writing = (async () => {
    for (let sent = 0; sent < STREAM_BYTES; sent += bytes.length) await near.write(bytes);
    await near.closeWrite();
  })();
  const buffer = new Uint8Array(65_536);
  while (await far.read(buffer) !== undefined);
  await writing;
  const cells = (wire() - before) / CELL_BYTES;
  const rate = rateOf(cells, start);
  caller.close();
  callee.close();
  start = performance.now();
  cellsBare(Math.round(cells));
  return { rate, baseline: rateOf(cells, start) };
}

/** Bytes that an idle session costs in an hour, both directions together, without TCP's own. */
export async function bytesAtRest(): Promise<number> {
  const hourMs = 3_600_000;
  const clock = new ManualClock();
  const parties = [await partyOf("one.example", clock), await partyOf("two.example", clock)];
  const { caller, callee, wire } = await sessionBetween(parties);
  await clock.advance(SESSION_LIMITS.keepAliveMs);
  const before = wire();
  await clock.advance(hourMs);
  const bytes = wire() - before;
  if (caller.fault !== undefined || callee.fault !== undefined) throw new Error("it has ended");
  caller.close();
  callee.close();
  return bytes;
}
