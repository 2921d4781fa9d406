/**
 * What reads a session: the proof of the other end, the messages in its cells, and its streams.
 *
 * @module
 */
import { concat } from "@std/bytes/concat";
import { equals } from "@std/bytes/equals";
import fc from "fast-check";
import {
  makeProof,
  openProof,
  padProof,
  type Proven,
  unpadProof,
} from "../../../src/swarm/identity.ts";
import { KIND, SESSION_LIMITS, SessionFault } from "../../../src/swarm/session.ts";
import {
  encodeMessage,
  MessageDecoder,
  type SessionMessage,
  uint32s,
} from "../../../src/swarm/session_message.ts";
import { Streams } from "../../../src/swarm/streams.ts";
import { utf8 } from "../../../src/tlog/encoding.ts";
import { denoWorld } from "../../../src/world/deno.ts";
import { generateSigner } from "../../../src/world/signer.ts";
import { bytes } from "./inputs.ts";
import { insist, parser, type ParserUnderTest } from "./parser.ts";

const PAYLOAD_BYTES = 960;
/** No kind has it. */
const UNUSED_KIND = 0x7f;

/** Parsers of what the other end of a session sends. */
export async function sessions(): Promise<ParserUnderTest[]> {
  return [await proofs(), messages(), streams()];
}

async function proofs(): Promise<ParserUnderTest> {
  const seed = new Uint8Array(32).fill(9);
  const world = { ...denoWorld(), random: { bytes: () => seed } };
  const { signer } = await generateSigner({ world, name: "member.example" });
  const proven: Proven = { role: "caller", hash: seed.slice(), staticKey: seed.slice() };
  const proof = await makeProof({ signer, proven });
  const other = await makeProof({ signer, proven: { ...proven, role: "callee" } });
  const [sample, ofCallee] = [proof, other].map((one) => padProof(one, PAYLOAD_BYTES));
  return parser<Uint8Array>({
    name: "session: unpadProof and openProof",
    share: 10,
    valid: [sample!],
    inputs: bytes([sample!, ofCallee!, padProof(new Uint8Array(0), PAYLOAD_BYTES)])
      .map((changed) => {
        // A payload has always this length: Noise opened a message of 1,024 bytes.
        const payload = new Uint8Array(PAYLOAD_BYTES);
        payload.set(changed.subarray(0, PAYLOAD_BYTES));
        return payload;
      }),
    run(payload) {
      const vkey = openProof({ proof: unpadProof(payload), proven });
      insist(vkey.text === signer.vkey.text, "it proves who signed it");
      insist(equals(payload, sample!), "nothing but the proof is taken for it");
      return "accepted";
    },
  });
}

/** Bytes that cells carry, and how many each carries. */
interface Said {
  readonly bytes: Uint8Array;
  readonly cells: readonly number[];
}

const SAID = [
  encodeMessage(KIND.hello, utf8(`{"hello":1}`)),
  encodeMessage(KIND.ping, new Uint8Array(8)),
  encodeMessage(KIND.pong, new Uint8Array(8)),
  encodeMessage(KIND.said, new Uint8Array(2_000).fill(3)),
  encodeMessage(KIND.bye),
  encodeMessage(UNUSED_KIND, new Uint8Array(50)),
];

const cellsOf = fc.array(fc.integer({ min: 1, max: 1_006 }), { minLength: 1, maxLength: 4 });

function decoded({ bytes, cells }: Said): { said: SessionMessage[]; fault: string | undefined } {
  const decoder = new MessageDecoder(SESSION_LIMITS);
  const said: SessionMessage[] = [];
  let at = 0;
  try {
    for (let i = 0; at < bytes.length; i++) {
      const cell = bytes.subarray(at, at += cells[i % cells.length]!);
      said.push(...decoder.take(cell));
    }
  } catch (error) {
    if (!(error instanceof SessionFault)) throw error;
    return { said, fault: error.message };
  }
  return { said, fault: undefined };
}

function messages(): ParserUnderTest {
  const samples = [...SAID, concat(SAID)];
  return parser<Said>({
    name: "session: MessageDecoder",
    share: 20,
    orderly: [SessionFault],
    valid: samples.map((bytes) => ({ bytes, cells: [1_006] })),
    inputs: fc.record({ bytes: bytes(samples), cells: cellsOf }),
    run(input) {
      const one = decoded(input);
      const byByte = decoded({ ...input, cells: [1] });
      insist(one.fault === byByte.fault, "it is the same fault, wherever cells part the bytes");
      // A fault ends the session, so what the same cell carried before it does not count.
      if (one.fault !== undefined) throw new SessionFault("malformed", one.fault);
      const again = (all: readonly SessionMessage[]): Uint8Array =>
        concat(all.map(({ kind, body }) => encodeMessage(kind, body)));
      insist(equals(again(one.said), again(byByte.said)), "they are the same messages");
      for (const { kind } of one.said) {
        insist(kind > KIND.identity && kind <= KIND.controlAnswer, "no other kind is given");
      }
      return "accepted";
    },
  });
}

const ABOUT_STREAMS = [
  encodeMessage(KIND.open, uint32s(1)),
  encodeMessage(KIND.data, uint32s(1), new Uint8Array(100)),
  encodeMessage(KIND.open, uint32s(3)),
  encodeMessage(KIND.end, uint32s(1)),
  encodeMessage(KIND.reset, uint32s(3)),
  encodeMessage(KIND.data, uint32s(3), new Uint8Array(100)),
];

function streams(): ParserUnderTest {
  const samples = ABOUT_STREAMS.map((_, i) => concat(ABOUT_STREAMS.slice(0, i + 1)));
  const { clock } = denoWorld();
  return parser<Said>({
    name: "session: Streams",
    share: 20,
    orderly: [SessionFault],
    valid: samples.map((bytes) => ({ bytes, cells: [1_006] })),
    inputs: fc.record({ bytes: bytes(samples), cells: cellsOf }),
    run(input) {
      let opened = 0;
      let answers = 0;
      const all = new Streams({
        ...{ isCaller: false, remote: { hostname: "192.0.2.1", port: 1 }, clock },
        limits: SESSION_LIMITS,
        link: { send: () => Promise.resolve(), post: () => answers++ },
        onStream: () => opened++,
      });
      const { said, fault } = decoded(input);
      for (const { kind, body } of said) all.receive(kind, body);
      const opens = said.filter(({ kind }) => kind === KIND.open).length;
      insist(opened + answers === opens, "each stream is opened or reset, and no other is");
      if (fault !== undefined) throw new SessionFault("malformed", fault);
      return "accepted";
    },
  });
}
