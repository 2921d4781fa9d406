/** PROTOCOL.md says what the program does: every example, every conversation, every limit. */
import { assertEquals, assertThrows } from "@std/assert";
import { encodeHex } from "@std/encoding/hex";
import { parseExactJson } from "../../src/evidence/json.ts";
import type { ConflictRecord } from "../../src/evidence/record.ts";
import { verifyConflict } from "../../src/evidence/verify.ts";
import type { About } from "../../src/gossip/about_item.ts";
import { ANSWER_COST } from "../../src/gossip/posted_note.ts";
import { KIND } from "../../src/swarm/session.ts";
import { KINDS, type ParcelItem } from "../../src/gossip/kinds.ts";
import type { Standing } from "../../src/gossip/settled_item.ts";
import { encodeParcel } from "../../src/gossip/parcel.ts";
import { base64, utf8 } from "../../src/tlog/encoding.ts";
import { sha256 } from "../../src/tlog/hashing.ts";
import { MalformedError } from "../../src/tlog/malformed.ts";
import { readProof } from "../../src/tlog/stated_proof.ts";
import { impliedOlderRoot } from "../../src/tlog/proof.ts";
import { Members, readStatement } from "../../src/swarm/statement.ts";
import { openCheckpoint, type VerifiedCheckpoint } from "../../src/tlog/checkpoint.ts";
import { ask, serve } from "../gossip/helpers.ts";
import { readDocument, ShownExamples, shownLimits } from "./document.ts";
import { ABOUT, EXAMPLES } from "./examples.ts";
import { LIMITS } from "./limits.ts";
import { checkpointOf, crossSizeRecord, log, monitor, rootOf, sameSizeRecord } from "./stage.ts";

const PROTOCOL = readDocument("documents/PROTOCOL.md");
const SHOWN = new ShownExamples(PROTOCOL);

function textOf(name: string): string {
  return new TextDecoder("utf-8", { fatal: true }).decode(SHOWN.bytes(name));
}

for (const [name, bytes] of EXAMPLES) {
  Deno.test(`protocol: the example ${name} is what the program makes`, () => {
    assertEquals(encodeHex(SHOWN.bytes(name)), encodeHex(bytes));
  });
}

// What is hashed is no value of the program's: it is shown to be what the program has hashed.
const HASHED = ["log-hash", "evidence-id-same-size", "evidence-id-cross-size-4", "statement-root"];
for (const name of HASHED) {
  Deno.test(`protocol: the example ${name}-input is what ${name} is the hash of`, () => {
    assertEquals(encodeHex(sha256(SHOWN.bytes(`${name}-input`))), encodeHex(EXAMPLES.get(name)!));
  });
}

Deno.test("protocol: no example is shown that no test computes", () => {
  const computed = [...EXAMPLES.keys(), ...HASHED.map((name) => `${name}-input`)];
  assertEquals(SHOWN.names.filter((name) => !computed.includes(name)), []);
});

for (const name of ["same-size", "cross-size-4", "cross-size-5"]) {
  Deno.test(`protocol: the record ${name} that is shown holds, and is signed`, () => {
    const input = textOf(`record-${name}`);
    const { outcome, signed } = verifyConflict({ input, log, detector: monitor.vkey });
    assertEquals([outcome, signed], ["holds", true]);
  });
}

Deno.test("protocol: the statement that is shown is the monitor's, by its text and by its note", () => {
  const read = readStatement(textOf("statement"), new Members([monitor.vkey]));
  if ("refused" in read) throw new Error(read.detail);
  assertEquals([read.epoch, read.sequence], [1_767_323_045n, 7n]);
  assertEquals(read.note, textOf("statement-note"));
  const opened = openCheckpoint({ note: textOf("statement-note"), logs: [read.checkpoint.log] });
  assertEquals("refused" in opened, false);
});

Deno.test("protocol: the proof that is shown leads from the root it implies to the newer one", () => {
  const stated = readProof(parseExactJson(textOf("proof-4-7")), [log]);
  assertEquals(impliedOlderRoot(stated), rootOf("one", 4));
});

interface Conversation {
  readonly asked: string;
  readonly answered: string;
  /** What the callee was shown, in order. */
  readonly shown?: readonly VerifiedCheckpoint[];
  readonly records?: readonly ConflictRecord[];
  readonly open?: readonly VerifiedCheckpoint[];
  readonly about?: About;
  /** How every checkpoint stands with the callee. */
  readonly standing?: Standing;
}

const one5 = await checkpointOf("one", 5);
const one7 = await checkpointOf("one", 7);

const CONVERSATIONS: readonly Conversation[] = [
  { asked: "exchange-request", answered: "exchange-answer", shown: [one5, one7] },
  { asked: "greeting", answered: "greeting", shown: [one7] },
  {
    ...{ asked: "greeting", answered: "greeting-answer" },
    open: [await checkpointOf("other", 4)],
  },
  {
    ...{ asked: "greeting-about", answered: "greeting-about-answer", shown: [one7] },
    about: ABOUT.callee,
  },
  { asked: "note-parcel", answered: "note-parcel-answer", shown: [one5, one7] },
  {
    ...{ asked: "question", answered: "question-answer", shown: [one7] },
    records: [await sameSizeRecord(), await crossSizeRecord(4)],
  },
  {
    ...{ asked: "settled-parcel", answered: "settled-parcel-answer", shown: [one7] },
    standing: "consistent",
  },
  { asked: "record-parcel", answered: "empty-parcel", shown: [one7] },
  { asked: "proof-parcel", answered: "empty-parcel", shown: [one7] },
  { asked: "unknown-parcel", answered: "empty-parcel" },
  { asked: "empty-parcel", answered: "empty-parcel", shown: [one7] },
];

for (
  const { asked, answered, shown = [], records = [], open = [], about, standing } of CONVERSATIONS
) {
  Deno.test(`protocol: the callee answers ${asked} with ${answered}`, async () => {
    await using scene = await serve({
      ...{ logs: [log], records: () => records, open: () => open },
      ...(about && { about }),
      ...(standing && { standing: () => standing }),
    });
    for (const checkpoint of shown) scene.judge.takeInOwn(checkpoint, "the log");
    const answer = await ask(await scene.connect(), SHOWN.bytes(asked));
    assertEquals(encodeHex(answer), encodeHex(SHOWN.bytes(answered)));
    assertEquals(scene.report.brokenAll, []);
  });
}

Deno.test("protocol: a frame under no key ends the exchange after the answers before it", async () => {
  await using scene = await serve({ logs: [log] });
  scene.judge.takeInOwn(one7, "the log");
  const good = SHOWN.bytes("frame-one-5");
  const bad = good.with(39, good[39]! ^ 1);
  const answer = await ask(await scene.connect(), new Uint8Array([...good, ...bad, ...good]));
  assertEquals(encodeHex(answer), encodeHex(SHOWN.bytes("frame-one-7")));
});

/** What is passed over, and beside it what is refused, where a reader of section 7 may doubt. */
const TOLD: readonly {
  readonly what: string;
  readonly item: ParcelItem;
  readonly passed: boolean;
}[] = [
  {
    what: "a note of no origin followed",
    item: note("note-one-5", /^Example/, "Another"),
    passed: true,
  },
  {
    what: "a note of nobody's that is no checkpoint",
    item: note("note-one-5", /\n5\n/, "\n05\n"),
    passed: false,
  },
  {
    what: "a line without base64",
    item: note("note-one-5", /$/, `— ${log.vkey.name} ?\n`),
    passed: true,
  },
  {
    what: "a line without a dash",
    item: note("note-one-5", /$/, "nobody AAAAAAAA\n"),
    passed: false,
  },
  {
    what: "a broken proof of a log not followed",
    item: proof({ log: log.vkey.text, proof: ["?"] }),
    passed: true,
  },
  { what: "a broken proof of a log followed", item: proof({ proof: ["?"] }), passed: false },
  {
    what: "a proof between equal sizes",
    item: proof({ older: { size: "7", root: base64(rootOf("one", 7)) }, proof: [] }),
    passed: true,
  },
  {
    what: "a proof from size 0",
    item: proof({ older: { size: "0", root: base64(sha256(new Uint8Array())) }, proof: [] }),
    passed: true,
  },
  {
    what: "a proof from size 0 with a hash",
    item: proof({ older: { size: "0", root: base64(sha256(new Uint8Array())) } }),
    passed: false,
  },
  {
    what: "a log in the longer form",
    item: proof({ log: `${log.vkey.text} ${log.vkey.name}` }),
    passed: true,
  },
];

function note(name: string, part: RegExp, other: string): ParcelItem {
  return { kind: "note", body: utf8(textOf(name).replace(part, other)) };
}

function proof(changes: object): ParcelItem {
  return {
    kind: "proof",
    body: utf8(JSON.stringify({ ...JSON.parse(textOf("proof-4-7")), ...changes })),
  };
}

for (const { what, item, passed } of TOLD) {
  Deno.test(`protocol: ${what} is ${passed ? "not " : ""}refused`, async () => {
    await using scene = await serve({ logs: [log] });
    const answer = await ask(await scene.connect(), encodeParcel([item]));
    assertEquals(encodeHex(answer), passed ? "81" : "");
    assertEquals(scene.report.brokenAll.length, passed ? 0 : 1);
  });
}

Deno.test("protocol: every kind of item has its row, with its byte", () => {
  const shown = [...PROTOCOL.matchAll(/^\| (\d+) +\| (\w+) +\| /gm)]
    .map(([, byte, name]) => [name, Number(byte)]);
  const rows = Object.entries(KINDS).toSorted(([, one], [, other]) => one.byte - other.byte);
  assertEquals(shown, rows.map(([name, { byte }]) => [name, byte]));
});

Deno.test("protocol: every kind of message of a session has its row, with its number and length", () => {
  const rows = PROTOCOL.matchAll(
    /^\| ([a-z ]+?) +\| (\d+) +\| [^|]+ \| (?:to |5 to )?([\d,]+) +\|/gm,
  );
  const shown = [...rows].map(([, name, kind, most]) => [name, Number(kind), most]);
  const control = { ...KIND, "control answer": KIND.controlAnswer };
  const { controlAnswer: _, identity: __, ...named } = control;
  const most: Readonly<Record<string, number>> = {
    ...{ hello: LIMITS.maxHelloBytes!, said: LIMITS.maxSaidBytes!, bye: LIMITS.maxByeBytes! },
    ...{ rumour: LIMITS.maxRumourBytes!, control: LIMITS.maxControlBytes! },
    ...{ "control answer": LIMITS.maxControlAnswerBytes!, data: 4 + LIMITS.streamWindowBytes! },
    ...{ open: 4, end: 4, reset: 4, credit: 8, ping: 8, pong: 8 },
  };
  assertEquals(
    shown,
    Object.entries(named).map(([name, kind]) => [name, kind, most[name]!.toLocaleString("en")]),
  );
});

Deno.test("protocol: every limit is the program's, and none of the exchange is left out", () => {
  const { MAX_DEPTH: _, ...shown } = Object.fromEntries(shownLimits(PROTOCOL));
  assertEquals(shown, { ...LIMITS });
});

Deno.test("protocol: JSON is nested as deep as it says", () => {
  const most = shownLimits(PROTOCOL).get("MAX_DEPTH")!;
  const nested = (depth: number): string =>
    `{"a":${"[".repeat(depth - 1)}${"]".repeat(depth - 1)}}`;
  parseExactJson(nested(most));
  assertThrows(() => parseExactJson(nested(most + 1)), MalformedError, "nested");
});

Deno.test("protocol: the parts of JSON are counted as it says", () => {
  const most = shownLimits(PROTOCOL).get("MAX_JSON_PARTS")!;
  // One, the brace, the colon, the bracket, and a comma for each number but the first.
  const withParts = (parts: number): string => `{"a":[${Array(parts - 3).fill("1").join(",")}]}`;
  parseExactJson(withParts(most));
  assertThrows(() => parseExactJson(withParts(most + 1)), MalformedError, "values and names");
});

/** Sentences that state a limit outside the tables; their words, with the program's numbers. */
const STATED = [
  `has more than ${spelled("MAX_JSON_PARTS")} parts`,
  `more than ${spelled("MAX_SIGNATURE_LINES")} signature lines`,
  `carries one checkpoint in ${spelled("FRAME_BYTES")} bytes`,
  `It sends at most ${spelled("maxFramesPerExchange")}.`,
  `no byte came within ${seconds("firstByteMs")}, or if the exchange is not finished ` +
  `${seconds("exchangeMs")} after the connection was accepted`,
  `waits ${seconds("connectMs")} for the connection, and ${seconds("exchangeMs")} for the exchange`,
  `The first byte must come within ${seconds("firstByteMs")}`,
  `allows ${seconds("parcelMs")} for the parcel and its answer together`,
  `waits ${seconds("connectMs")} for the connection, and ${seconds("parcelMs")} for everything`,
  `At most ${spelled("maxRecordsPerParcel")} are sent, and of each log the newest first`,
  `has more than ${spelled("maxRecordsPerParcel")}, the receiver takes the ${
    LIMITS.maxRecordsPerParcel! / 2
  } newest, ` +
  `and draws ${LIMITS.maxRecordsPerParcel! / 2} at random`,
  `up to ${spelled("maxOpenPerLog")} of each log. Several`,
  `the logs that it follows, at most ${(LIMITS.maxFollowsItemBytes! / 32).toLocaleString("en")},`,
  `both follow, at most ${spelled("maxFramesPerExchange")}.`,
  `up to ${spelled("maxRecordsPerParcel")} records that the caller has not sent`,
  `Every ${LIMITS.askAgainMs! / 60_000} minutes it asks about all logs`,
  `newest cases of these logs, up to ${(LIMITS.maxKnownItemBytes! / 32).toLocaleString("en")},`,
  `sends this peer no parcel for ${seconds("parcelRetryMs")}`,
  `It holds ${spelled("framesPerSecondPerAddress")}, and ` +
  `${spelled("framesPerSecondPerAddress")} more come back each second`,
  `1 for every ${spelled("parcelBytesPerFrame")} bytes of a parcel`,
  `${spelled("noteCost")} for a note;`,
  `${spelled("proofCost")} for a proof, and 1 for every ${spelled("jsonBytesPerFrame")} bytes`,
  `${spelled("recordCost")} for a record, and 1 for every ${spelled("jsonBytesPerFrame")} bytes`,
  `${spelled("knownCost")} for a list of known cases, and ${spelled("followsCost")} for a list`,
  `${spelled("settledCost")} for a list of checkpoints, and 1 for each`,
  `${spelled("aboutCost")} for what the sender says about itself`,
  `1 to ${LIMITS.maxAboutItemBytes! - 16} bytes of printable ASCII`,
  `A refusal that is charged takes ${spelled("refusedFrameCost")} more`,
  `down to -${spelled("framesPerSecondPerAddress")}`,
  `A sender keeps a parcel within ${spelled("maxParcelCost")},`,
  `a list of at most ${spelled("MAX_PROOF_HASHES")} hashes`,
  `A source has at most ${spelled("MAX_SOURCE_CHARACTERS")} Unicode code points`,
  `(${spelled("SEGMENT_BYTES")} bytes) or more`,
  `at most ${spelled("MAX_POSTED_BYTES")}, with Content-Length`,
  `the answer waits ${seconds("VERDICT_MS")} for that`,
  `the content is longer than ${spelled("MAX_POSTED_BYTES")} bytes`,
  `The handshake must be finished ${seconds("handshakeMs")} after it began`,
  `after every ${spelled("cellsPerKey")} of its cells`,
  `it has at most ${spelled("maxUnknownMessageBytes")} bytes`,
  `when it has sent nothing for ${seconds("keepAliveMs")}`,
  `has heard nothing for ${seconds("silenceMs")} ends the session`,
  `may have ${spelled("maxStreams")} of its own open`,
  `may send ${spelled("streamWindowBytes")} bytes on a stream`,
  `a posted note takes ${LIMITS.noteCost! + ANSWER_COST}, and 1 for every ${
    spelled("parcelBytesPerFrame")
  } bytes; any other answer takes 1, and 1 for every ${spelled("parcelBytesPerFrame")} bytes`,
];

function spelled(name: string): string {
  return LIMITS[name]!.toLocaleString("en");
}

function seconds(name: string): string {
  return `${LIMITS[name]! / 1_000} s`;
}

Deno.test("protocol: sentences state the program's limits", () => {
  const sentences = PROTOCOL.replace(/\s+/g, " ");
  assertEquals(STATED.filter((words) => !sentences.includes(words)), []);
});
