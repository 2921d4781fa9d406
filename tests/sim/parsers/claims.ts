/**
 * Inputs that claim a huge length and are short.
 *
 * @module
 */
import { KINDS } from "../../../src/gossip/kinds.ts";
import { DEFAULT_LIMITS } from "../../../src/gossip/limits.ts";
import { PARCEL_VERSION, ParcelDecoder } from "../../../src/gossip/parcel.ts";
import { KIND, SESSION_LIMITS, SessionFault } from "../../../src/swarm/session.ts";
import { MessageDecoder } from "../../../src/swarm/session_message.ts";
import { openSource } from "../../../src/sources/open.ts";
import { openCheckpoint, openFrame, parseCheckpointText } from "../../../src/tlog/checkpoint.ts";
import { MAX_TREE_SIZE, utf8 } from "../../../src/tlog/encoding.ts";
import { encodeFrame } from "../../../src/tlog/frame.ts";
import { sha256 } from "../../../src/tlog/hashing.ts";
import { MalformedError } from "../../../src/tlog/malformed.ts";
import { impliedOlderRoot } from "../../../src/tlog/proof.ts";
import { denoWorld } from "../../../src/world/deno.ts";
import { WorldError } from "../../../src/world/world.ts";
import { fakeWorld } from "../../sources/fake_http.ts";
import { HTTP_SAMPLES, serveBytes, SOCKET_TIMEOUT_MS } from "./http.ts";
import { MAX_INPUT_LENGTH } from "./mutate.ts";
import { insist } from "./parser.ts";
import { HOSTILE_TEXTS, makeStage, ORIGIN, signedNote } from "./stage.ts";

/** An input that claims to be far longer than it is. */
interface Claim {
  readonly name: string;
  /** Gives the input to its parser, which must not believe it. @returns what is kept in memory */
  run(): unknown;
}

/** Claims of huge lengths, one for everything that reads a length. */
export async function claims(): Promise<readonly Claim[]> {
  const stage = await makeStage();
  const huge = MAX_TREE_SIZE;
  const header = (kind: number, length: number): Uint8Array => {
    const bytes = new Uint8Array(6);
    new DataView(bytes.buffer).setUint32(2, length);
    bytes.set([PARCEL_VERSION, kind]);
    return bytes;
  };
  const refusal = (run: () => unknown): unknown => {
    try {
      return run();
    } catch (error) {
      if (error instanceof MalformedError) return error;
      throw error;
    }
  };
  const said = (kind: number, length: number): Claim => ({
    name: `a session's message of kind ${kind} and ${length} bytes`,
    run() {
      const decoder = new MessageDecoder(SESSION_LIMITS);
      try {
        return [decoder, decoder.take(header(kind, length).subarray(1))];
      } catch (error) {
        if (error instanceof SessionFault) return [decoder, error];
        throw error;
      }
    },
  });
  const parcel = (kind: number, length: number): Claim => ({
    name: `a parcel's item of kind ${kind} and ${length} bytes`,
    run() {
      const decoder = new ParcelDecoder(DEFAULT_LIMITS);
      return [decoder, refusal(() => [...decoder.take(header(kind, length))])];
    },
  });
  const rootHash = sha256(utf8("x"));
  const tiles = (body: () => Uint8Array): () => Promise<unknown> => async () => {
    const { world } = fakeWorld(() => ({ body: body(), headers: { "content-length": `${huge}` } }));
    const source = "https://log.invalid";
    const opened = openSource({ world, log: stage.honest.log, source, contact: "x" });
    return await opened.consistency({ older: huge - 1n, newer: huge }).catch((error) => error);
  };
  return [
    ...[1, 2, 3, 4, 9].flatMap((kind) =>
      [0xffffffff, 0x7fffffff].map((length) => parcel(kind, length))
    ),
    // Within the limits, and still nothing has come.
    ...Object.values(KINDS).map(({ byte, maxBytes }) => parcel(byte, maxBytes)),
    ...Object.values(KIND).map((kind) => said(kind, 0xffffffff)),
    said(KIND.said, SESSION_LIMITS.maxSaidBytes),
    said(KIND.data, SESSION_LIMITS.streamWindowBytes),
    {
      name: "a frame of a tree of 2^63 - 1 leaves",
      run: () =>
        openFrame({
          frame: encodeFrame({ treeSize: huge, rootHash, signature: new Uint8Array(64) }),
          logs: stage.logs,
        }),
    },
    {
      name: "a note of a tree of 2^63 - 1 leaves",
      run: () => openCheckpoint({ note: signedNote(stage, HOSTILE_TEXTS[0]!), logs: stage.logs }),
    },
    {
      name: "a proof between trees of 2^63 leaves",
      run: () =>
        impliedOlderRoot({
          older: { treeSize: huge - 1n, rootHash },
          newer: { treeSize: huge, rootHash },
          proof: Array.from({ length: 64 }, () => rootHash),
        }),
    },
    { name: "tiles of a tree of 2^63 - 1 leaves, all empty", run: tiles(() => new Uint8Array(0)) },
    { name: "such tiles, of one hash", run: tiles(() => rootHash) },
    {
      name: "a number of 4,000 digits for a size",
      run: () => refusal(() => parseCheckpointText(`${ORIGIN}\n${"9".repeat(4_000)}\nAAAA\n`)),
    },
    {
      name: "an answer of 2^63 - 1 bytes, by its Content-Length",
      async run() {
        using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
        const served = serveBytes(listener, utf8(HTTP_SAMPLES[5]!));
        const url = `http://127.0.0.1:${listener.addr.port}/`;
        const get = { url, headers: {}, timeoutMs: SOCKET_TIMEOUT_MS, maxBytes: MAX_INPUT_LENGTH };
        const answer = await denoWorld().http.request(get).catch((error) => error);
        insist(answer instanceof WorldError, "an answer that is cut off is none");
        listener.close();
        await served;
        return answer;
      },
    },
  ];
}
