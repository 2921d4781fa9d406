/**
 * The measured servers, each in a thread of its own, so that the client's work is on another core:
 * a bare Deno server that echoes what it reads, and the real callee. Also times the bare
 * verification of the same frames, on the same core as the callee's.
 */
import { createPublicKey, verify } from "node:crypto";
import { EquivocationDetector } from "../../src/evidence/detector.ts";
import { newAbout } from "../../src/gossip/about_item.ts";
import { exchangeAcceptor } from "../../src/gossip/callee.ts";
import { Calls } from "../../src/world/calls.ts";
import { DEFAULT_LIMITS } from "../../src/gossip/limits.ts";
import { PeerKnowledge } from "../../src/gossip/peer_knowledge.ts";
import { Judge } from "../../src/gossip/judge.ts";
import { formatCheckpointText, openCheckpoint, openFrame } from "../../src/tlog/checkpoint.ts";
import { utf8 } from "../../src/tlog/encoding.ts";
import { decodeFrame, FRAME_BYTES } from "../../src/tlog/frame.ts";
import { type Log, parseLog } from "../../src/tlog/log.ts";
import { denoWorld } from "../../src/world/deno.ts";

const LOOPBACK = { hostname: "127.0.0.1", port: 0 };
const UNLIMITED = Number.MAX_SAFE_INTEGER;
const LONG_MS = 600_000;

/** What the client asks of this thread, and what it answers. */
export type Job =
  | { readonly kind: "echo" }
  | { readonly kind: "echo once" }
  | { readonly kind: "callee"; readonly log: string; readonly note: string }
  | { readonly kind: "verify"; readonly log: string; readonly frames: Uint8Array }
  | { readonly kind: "open"; readonly log: string; readonly frames: Uint8Array };

self.addEventListener("message", (event) => {
  const job = (event as MessageEvent<Job>).data;
  if (job.kind === "echo") reply({ port: echo() });
  if (job.kind === "echo once") reply({ port: echoOnce() });
  if (job.kind === "callee") reply({ port: callee(job) });
  if (job.kind === "verify") reply({ ms: verifyAll(job) });
  if (job.kind === "open") reply({ opened: openAll(job) });
});

function reply(answer: { port: number } | { ms: number } | { opened: Uint8Array }): void {
  (self as unknown as { postMessage(message: unknown): void }).postMessage(answer);
}

function echo(): number {
  const listener = Deno.listen(LOOPBACK);
  (async () => {
    for await (const connection of listener) serveEcho(connection);
  })();
  return listener.addr.port;
}

async function serveEcho(connection: Deno.TcpConn): Promise<void> {
  const buffer = new Uint8Array(FRAME_BYTES * 630);
  for (let count; (count = await connection.read(buffer)) !== null;) {
    for (let at = 0; at < count;) at += await connection.write(buffer.subarray(at, count));
  }
  connection.close();
}

/** The least an exchange can be: accepts, reads one frame, echoes it and closes. */
function echoOnce(): number {
  const listener = Deno.listen(LOOPBACK);
  (async () => {
    for await (const connection of listener) serveOneEcho(connection);
  })();
  return listener.addr.port;
}

async function serveOneEcho(connection: Deno.TcpConn): Promise<void> {
  const frame = new Uint8Array(FRAME_BYTES);
  for (let filled = 0; filled < FRAME_BYTES;) {
    const count = await connection.read(frame.subarray(filled));
    if (count === null) break;
    filled += count;
  }
  for (let at = 0; at < FRAME_BYTES;) at += await connection.write(frame.subarray(at));
  connection.close();
}

function callee({ log: notation, note }: { log: string; note: string }): number {
  const world = denoWorld();
  const log = parseLog(notation);
  const judge = new Judge({ logs: [log], detector: new EquivocationDetector() });
  const opened = openCheckpoint({ note, logs: [log] });
  if ("refused" in opened) throw new Error(opened.detail);
  judge.takeInOwn(opened[0]!, "bench");
  const limits = {
    ...DEFAULT_LIMITS,
    maxFramesPerExchange: UNLIMITED,
    framesPerSecondPerAddress: UNLIMITED,
    exchangeMs: LONG_MS,
  };
  const party = {
    world,
    judge,
    limits,
    keep: () => Promise.resolve(),
    cases: () => [],
    unreconciled: () => [],
    standing: () => "unknown" as const,
    peerKnowledge: new PeerKnowledge(limits),
    about: newAbout(world.random),
    calls: new Calls(),
    report: {
      heard: () => {},
      notAnswered: (error: unknown) => console.error(error),
      broken: (reason: string) => console.error(reason),
    },
  };
  const listener = world.network.listen(LOOPBACK);
  exchangeAcceptor({ party, listener }).run();
  return listener.address.port;
}

/** Bare node:crypto verification of every frame; the texts are made beforehand. */
function verifyAll({ log: notation, frames }: { log: string; frames: Uint8Array }): number {
  const { origin, vkey } = parseLog(notation);
  const x = vkey.publicKey.toBase64({ alphabet: "base64url", omitPadding: true });
  const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
  const signed: [Uint8Array, Uint8Array][] = [];
  for (let at = 0; at < frames.length; at += FRAME_BYTES) {
    const fields = decodeFrame(frames.subarray(at, at + FRAME_BYTES));
    signed.push([utf8(formatCheckpointText({ origin, ...fields })), fields.signature]);
  }
  const start = performance.now();
  for (const [message, signature] of signed) {
    if (!verify(null, message, key, signature)) throw new Error("a benchmark frame is wrong");
  }
  return performance.now() - start;
}

const known = new Map<string, Log>();

/** As a worker that verifies for a callee would: 1 for each frame that opens, and 0 for others. */
function openAll({ log: notation, frames }: { log: string; frames: Uint8Array }): Uint8Array {
  const log = known.get(notation) ?? parseLog(notation);
  known.set(notation, log);
  return Uint8Array.from({ length: frames.length / FRAME_BYTES }, (_, i) => {
    const frame = frames.subarray(i * FRAME_BYTES, (i + 1) * FRAME_BYTES);
    return "refused" in openFrame({ frame, logs: [log] }) ? 0 : 1;
  });
}
