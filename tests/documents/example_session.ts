/** The session of PROTOCOL section 16: with fixed keys, the program sends fixed bytes. */
import { decodeHex } from "@std/encoding/hex";
import { CELL_BYTES } from "../../src/swarm/cell.ts";
import { makeProof, padProof, SESSION_DOMAIN } from "../../src/swarm/identity.ts";
import { Handshake } from "../../src/swarm/noise.ts";
import type { SessionParty } from "../../src/swarm/session.ts";
import { encodeMessage, KIND } from "../../src/swarm/session_message.ts";
import { base64, utf8 } from "../../src/tlog/encoding.ts";
import { sha256 } from "../../src/tlog/hashing.ts";
import { denoWorld } from "../../src/world/deno.ts";
import { generateSigner, type Signer } from "../../src/world/signer.ts";
import { keyPair } from "../../src/world/x25519.ts";
import { ManualClock } from "../gossip/fake_network.ts";
import { throughMiddle } from "../swarm/middle.ts";
import { endOf, inSession } from "../swarm/sessions.ts";
import { monitor } from "./stage.ts";

/** 32 bytes that count up. */
const counting = (from: number): Uint8Array<ArrayBuffer> =>
  Uint8Array.from({ length: 32 }, (_, i) => from + i);

/** The private keys of both ends, and the bytes of their pings. */
export const SESSION_KEYS = {
  seed: counting(0x40),
  callerStatic: counting(0x60),
  callerEphemeral: counting(0x80),
  calleeStatic: counting(0xa0),
  calleeEphemeral: counting(0xc0),
  ping: decodeHex("0001020304050607"),
};

const { signer: callee } = await generateSigner({
  world: { ...denoWorld(), random: { bytes: () => SESSION_KEYS.seed } },
  name: "callee.example.com",
});

/** An end whose randomness is first its ephemeral key, and then its ping. */
function partyOf(signer: Signer, staticKey: Uint8Array, ephemeral: Uint8Array<ArrayBuffer>) {
  const drawn = [ephemeral, Uint8Array.from(SESSION_KEYS.ping)];
  const party: Omit<SessionParty, "clock"> = {
    ...{ signer, staticKey: keyPair(staticKey) },
    random: { bytes: () => drawn.shift()! },
  };
  return party;
}

/** What passed between the two ends of the program. */
async function wire(): Promise<{ there: Uint8Array[]; back: Uint8Array[] }> {
  const clock = new ManualClock();
  const { connections, passed, done } = await throughMiddle({ clock });
  const keys = SESSION_KEYS;
  const pair = await inSession({
    ...{ clock, connections },
    parties: {
      caller: { ...partyOf(monitor, keys.callerStatic, keys.callerEphemeral), clock },
      callee: { ...partyOf(callee, keys.calleeStatic, keys.calleeEphemeral), clock },
    },
  });
  await clock.advance(0);
  await pair.caller.finish();
  await endOf(pair.callee);
  await done;
  const from = (isThere: boolean): Uint8Array[] =>
    passed.filter((passing) => passing.isThere === isThere).map(({ message }) => message);
  return { there: from(true), back: from(false) };
}

const { there, back } = await wire();

/** The hashes that are signed, which the program shows nobody, by a handshake of the same keys. */
async function hashes() {
  const keys = SESSION_KEYS;
  const ends = [
    { isInitiator: true, own: keys.callerStatic, ephemeral: keys.callerEphemeral },
    { isInitiator: false, own: keys.calleeStatic, ephemeral: keys.calleeEphemeral },
  ].map(({ isInitiator, own, ephemeral }) =>
    new Handshake({
      ...{ isInitiator, own: keyPair(own), ephemeral: keyPair(ephemeral) },
      prologue: utf8(SESSION_DOMAIN),
    })
  ) as [Handshake, Handshake];
  const [caller, answering] = ends;
  answering.read(caller.write(new Uint8Array(CELL_BYTES - 32)));
  caller.read(answering.write(new Uint8Array(CELL_BYTES - 96)));
  const hash2 = caller.hash;
  const callerKey = keyPair(keys.callerStatic).publicKey;
  const proof = await makeProof({
    signer: monitor,
    proven: { role: "caller", hash: hash2, staticKey: callerKey },
  });
  caller.write(padProof(proof, CELL_BYTES - 64));
  const hash3 = caller.hash;
  const calleeKey = keyPair(keys.calleeStatic).publicKey;
  const calleeProof = await makeProof({
    signer: callee,
    proven: { role: "callee", hash: hash3, staticKey: calleeKey },
  });
  return { hash2, hash3, proof, calleeProof, callerKey };
}

const { hash2, hash3, proof, calleeProof, callerKey } = await hashes();

/** By name, the bytes of each example of section 16. */
export const SESSION_EXAMPLES: readonly (readonly [string, Uint8Array])[] = [
  ["callee-vkey", utf8(callee.vkey.text)],
  ["session-message-2-head", back[0]!.slice(0, 80)],
  ["session-hash-2", hash2],
  [
    "session-caller-signed",
    utf8(`${SESSION_DOMAIN}caller\n${base64(hash2)}\n${base64(callerKey)}\n`),
  ],
  ["session-caller-proof", proof],
  ["session-hash-3", hash3],
  [
    "session-callee-said",
    Uint8Array.of(
      ...encodeMessage(KIND.identity, calleeProof),
      ...encodeMessage(KIND.ping, SESSION_KEYS.ping),
    ),
  ],
  ["session-message-1-sha256", sha256(there[0]!)],
  ["session-message-2-sha256", sha256(back[0]!)],
  ["session-message-3-sha256", sha256(there[1]!)],
  ["session-callee-cell-1-sha256", sha256(back[1]!)],
  ["session-caller-cell-1-sha256", sha256(there[2]!)],
];
