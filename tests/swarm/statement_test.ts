import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { canonicalize } from "@std/json/canonicalize";
import { EquivocationDetector } from "../../src/evidence/detector.ts";
import { formatCheckpointText } from "../../src/tlog/checkpoint_text.ts";
import { utf8 } from "../../src/tlog/encoding.ts";
import { sha256 } from "../../src/tlog/hashing.ts";
import { makeLog } from "../../src/tlog/log.ts";
import { MalformedError } from "../../src/tlog/malformed.ts";
import { formatNote, MAX_NOTE_BYTES } from "../../src/tlog/note.ts";
import {
  hashedBytes,
  isKnown,
  logOf,
  makeStatement,
  MAX_CHECKPOINT_STATEMENT_BYTES,
  MAX_LINK_MS,
  MAX_STATEMENT_BYTES,
  Members,
  readStatement,
  STATEMENT_VERSION,
  type StatementBody,
  statementsEpoch,
} from "../../src/swarm/statement.ts";
import type { Signer } from "../../src/world/signer.ts";
import { LOG_KINDS } from "../tlog/log_signers.ts";
import { leave, membersOf, newMember, read, statementOf, timeText } from "./stage.ts";

const one = await newMember("member.invalid/one");
const two = await newMember("member.invalid/two");
const members = membersOf(one, two);
const other = { accused: two.vkey.text, reason: "a checkpoint that nobody signed" };
const BODIES: readonly StatementBody[] = [
  { kind: "checkpoint", time: timeText(), note: "any note\n", observation: "ab".repeat(32) },
  { kind: "links", time: timeText(), links: [[two.vkey.text, 0], ["another", MAX_LINK_MS]] },
  { kind: "accusation", time: timeText(), ...other },
  { kind: "accusation", time: timeText(), ...other, evidence: ["a\n", "b\n"] },
  leave(),
];

/** A statement of anything at all, signed by `signer`. */
async function signed(
  body: Record<string, unknown>,
  { signer = one, origin = `${one.vkey.name}/statements/7`, size = 3n, extra = "", lines = "" } =
    {},
): Promise<string> {
  const rootHash = sha256(hashedBytes(body as unknown as StatementBody));
  const text = formatCheckpointText({ origin, treeSize: size, rootHash }) + extra;
  const note = formatNote({ text, vkey: signer.vkey, signature: await signer.sign(utf8(text)) });
  return canonicalize({ version: STATEMENT_VERSION, note: note + lines, body });
}

function refusal(input: string, by: Members = members): string {
  const refused = readStatement(input, by);
  return "refused" in refused ? `${refused.refused}: ${refused.detail}` : "accepted";
}

function assertRefused(input: string, wanted: string, by: Members = members): void {
  const why = refusal(input, by);
  assert(why.includes(wanted), `${why}, expected ${wanted}`);
}

for (const body of BODIES) {
  Deno.test(`statement: ${body.kind}${"evidence" in body ? " with evidence" : ""} is read as it was said`, async () => {
    const said = await statementOf(one, { epoch: 7n, sequence: 3n, body });
    const heard = read(said.text, members);
    assertEquals(heard.body, body);
    assertEquals(heard.member, one.vkey);
    assertEquals([heard.epoch, heard.sequence, heard.time], [7n, 3n, Date.parse(timeText())]);
    assertEquals([heard.hash, heard.text, heard.note], [said.hash, said.text, said.note]);
    assertEquals(heard.checkpoint.log.id, logOf({ vkey: one.vkey, epoch: 7n }).id);
    assert(isKnown(heard.body));
  });
}

Deno.test("statement: its root is the hash that PROTOCOL gives, over canonical JSON", async () => {
  const said = await statementOf(one);
  const hashed = `hearsay/statement/v1\n{"kind":"leave","time":"${timeText()}"}`;
  assertEquals(said.checkpoint.rootHash, sha256(utf8(hashed)));
});

Deno.test("statement: an object that was read exactly is read like its text", async () => {
  const said = await statementOf(one);
  const heard = readStatement(JSON.parse(said.text), members);
  assert(!("refused" in heard));
  assertEquals(heard.hash, said.hash);
});

Deno.test("statement: white space and another order of members change nothing", async () => {
  const said = await statementOf(one);
  const { version, note, body } = JSON.parse(said.text);
  assertEquals(read(JSON.stringify({ body, note, version }, null, 2), members).hash, said.hash);
});

Deno.test("statement: a kind of a later version is read, and is not known", async () => {
  const heard = read(await signed({ kind: "weather", time: timeText(), rain: true }), members);
  assertEquals([heard.body.kind, isKnown(heard.body)], ["weather", false]);
});

Deno.test("statement: members that a later version adds are kept and signed", async () => {
  const body = { kind: "leave", time: timeText(), until: "tomorrow" };
  assertEquals(read(await signed(body), members).body as unknown, body);
});

Deno.test("statement: a later version of the format is no fault", async () => {
  const { text } = await statementOf(one);
  assertRefused(text.replace("statement/v1", "statement/v2"), "unknown version: ");
});

Deno.test("statement: a name twice in the JSON is refused, so no two readers see two things", async () => {
  const { text } = await statementOf(one);
  const twice = text.replace('"kind":"leave"', '"kind":"links","kind":"leave"');
  assertRefused(twice, "malformed: expected every JSON member once");
});

for (
  const [what, change, wanted] of [
    ["no JSON", () => "{", "malformed: "],
    [
      "an unknown member",
      (text: string) => text.replace("{", '{"a":1,'),
      'malformed: statement has an unknown member "a"',
    ],
    ["no body", (text: string) => text.replace('"body"', '"bodi"'), "malformed: body is missing"],
    [
      "no version",
      (text: string) => text.replace('"hearsay/statement/v1"', "1"),
      "malformed: version is 1",
    ],
    [
      "another time",
      (text: string) => text.replace("03:04:05", "03:04:06"),
      "bad signature: the body is not the one that was signed",
    ],
    [
      "another kind",
      (text: string) => text.replace("leave", "lease"),
      "bad signature: the body is not the one that was signed",
    ],
    ["another number", (text: string) => text.replace("\\n1\\n", "\\n2\\n"), "bad signature: "],
    [
      "another epoch",
      (text: string) => text.replace("statements/1", "statements/2"),
      "bad signature: ",
    ],
  ] as const
) {
  Deno.test(`statement: ${what} is refused`, async () => {
    assertRefused(change((await statementOf(one)).text), wanted);
  });
}

Deno.test("statement: a flipped character anywhere is refused", async () => {
  const { text } = await statementOf(one);
  for (let at = 0; at < text.length; at++) {
    const flipped = text.slice(0, at) + String.fromCharCode(text.charCodeAt(at) ^ 1) +
      text.slice(at + 1);
    assert(refusal(flipped) !== "accepted", `character ${at} of ${text}`);
  }
});

Deno.test("statement: who is no member is an unknown source", async () => {
  const stranger = await newMember("member.invalid/one");
  assertRefused((await statementOf(stranger)).text, "unknown source: ");
  assertRefused((await statementOf(one)).text, "unknown source: ", membersOf(two));
});

Deno.test("statement: who is a member no more is an unknown source", async () => {
  const some = membersOf(one, two);
  const { text } = await statementOf(one);
  assertEquals(refusal(text, some), "accepted");
  some.follow([two.vkey]);
  assertRefused(text, "unknown source: ", some);
});

for (
  const origin of [
    "member.invalid/two/statements/7",
    "member.invalid/one/statements/",
    "member.invalid/one/statements/0",
    "member.invalid/one/statements/07",
    "member.invalid/one/statements/7/8",
    "member.invalid/one",
  ]
) {
  Deno.test(`statement: the origin ${origin} is not that of a list of member.invalid/one`, async () => {
    assertRefused(await signed({ ...leave() }, { origin }), "malformed: origin is ");
  });
}

Deno.test("statement: number 0 is refused", async () => {
  assertRefused(await signed({ ...leave() }, { size: 0n }), "malformed: ");
});

Deno.test("statement: the note has one spelling: no extension lines and no other signatures", async () => {
  assertRefused(await signed({ ...leave() }, { extra: "more\n" }), "malformed: the note has more");
  const line = (await statementOf(two)).note.split("\n").at(-2)!;
  assertRefused(
    await signed({ ...leave() }, { lines: `${line}\n` }),
    "malformed: the note has not one",
  );
  assertRefused(await signed({ ...leave() }, { lines: "— x !\n" }), "malformed: the note has more");
});

for (
  const [what, body] of [
    ["a time without milliseconds", { kind: "leave", time: "2026-01-02T03:04:05Z" }],
    ["a time with an offset", { kind: "leave", time: "2026-01-02T03:04:05.000+00:00" }],
    ["no time", { kind: "leave" }],
    ["a checkpoint without an observation", { kind: "checkpoint", time: timeText(), note: "n" }],
    ["a hash in capitals", { ...BODIES[0], observation: "AB".repeat(32) }],
    ["a link of half a millisecond", { ...BODIES[1], links: [["x", 0.5]] }],
    ["a link that takes too long", { ...BODIES[1], links: [["x", MAX_LINK_MS + 1]] }],
    ["a link of three", { ...BODIES[1], links: [["x", 1, 2]] }],
    ["an accused that is no vkey", { ...BODIES[2], accused: "two" }],
    ["a reason of two lines", { ...BODIES[2], reason: "a\nb" }],
    ["evidence of one note", { ...BODIES[2], evidence: ["a\n"] }],
  ] as const
) {
  Deno.test(`statement: ${what} is malformed, and nobody says it`, async () => {
    assertRefused(await signed(body as Record<string, unknown>), "malformed: ");
    const said = statementOf(one, { body: body as StatementBody });
    await assertRejects(() => said, MalformedError);
  });
}

/** A statement that the reason makes this long. */
function accusationOf(bytes: number, signer: Signer = one): Promise<string> {
  const body = (padding: number): Record<string, unknown> => ({
    ...{ kind: "accusation", time: timeText(), ...other, padding: "x".repeat(padding) },
  });
  return signed(body(0), { signer }).then((text) => signed(body(bytes - text.length), { signer }));
}

Deno.test("statement: MAX_STATEMENT_BYTES fit, and no more", async () => {
  const most = await accusationOf(MAX_STATEMENT_BYTES - bytesOver);
  assertEquals(utf8(most).length, MAX_STATEMENT_BYTES);
  assertEquals(refusal(most), "accepted");
  assertRefused(
    await accusationOf(MAX_STATEMENT_BYTES - bytesOver + 1),
    "malformed: the statement has 8193",
  );
});

/** The em dash of the signature line has three bytes. */
const bytesOver = 2;

Deno.test("statement: a whole note fits a statement about a checkpoint, and too long a one does not", async () => {
  const body = (length: number): StatementBody => ({
    ...{ kind: "checkpoint", time: timeText(), observation: "ab".repeat(32) },
    note: "x".repeat(length),
  });
  const said = await statementOf(one, { body: body(MAX_NOTE_BYTES) });
  assertEquals(read(said.text, members).hash, said.hash);
  await assertRejects(() => statementOf(one, { body: body(MAX_NOTE_BYTES + 1) }), MalformedError);
  const escaped = { ...body(0), note: '"'.repeat(MAX_NOTE_BYTES) };
  await assertRejects(() => statementOf(one, { body: escaped }), MalformedError, "at most 600000");
  const long = `{"version":"${"x".repeat(MAX_CHECKPOINT_STATEMENT_BYTES)}"}`;
  assertRefused(long, "malformed: the statement has");
});

Deno.test("statement: another signature on the same words has the same hash, other words have not", async () => {
  const said = await statementOf(one);
  assertEquals((await statementOf(one)).hash, said.hash);
  const others = [
    await statementOf(one, { sequence: 2n }),
    await statementOf(one, { epoch: 2n }),
    await statementOf(two),
    await statementOf(one, { body: leave(0) }),
  ];
  assertEquals(new Set([said, ...others].map(({ hash }) => hash)).size, 5);
});

Deno.test("statement: two under one number are equivocation to the detector of logs", async () => {
  const detector = new EquivocationDetector();
  const said = await statementOf(one);
  assertEquals(detector.observe(said.checkpoint, "a"), undefined);
  assertEquals(detector.observe(read(said.text, membersOf(one)).checkpoint, "b"), undefined);
  for (
    const no of [
      await statementOf(one, { sequence: 2n, body: leave(0) }),
      await statementOf(one, { epoch: 2n, body: leave(0) }),
      await statementOf(two, { body: leave(0) }),
    ]
  ) assertEquals(detector.observe(no.checkpoint, "a"), undefined);
  const conflict = detector.observe((await statementOf(one, { body: leave(0) })).checkpoint, "b");
  assertEquals(conflict?.kind, "same_size");
});

Deno.test("statement: only an Ed25519 key makes statements, and others are no members", () => {
  for (const [kind, make] of LOG_KINDS) {
    const { vkey } = make().log;
    assertThrows(() => logOf({ vkey, epoch: 1n }), MalformedError, "no Ed25519 key", kind);
    assertEquals(new Members([vkey, one.vkey]).all, [one.vkey]);
  }
});

Deno.test("statement: the list of a member is known by its origin and its key's own name", () => {
  const { vkey } = one;
  assertEquals(statementsEpoch(logOf({ vkey, epoch: 12n })), 12n);
  for (const origin of [vkey.name, "other/statements/1", `${vkey.name}/statements/x`]) {
    assertEquals(statementsEpoch(makeLog({ vkey, origin })), undefined);
  }
});

Deno.test("statement: nothing is signed that would be refused", async () => {
  const silent: Signer = { ...one, sign: () => Promise.reject(new Error("it was signed")) };
  const body = { kind: "leave", time: "now" } as const;
  await assertRejects(
    () => makeStatement({ signer: silent, epoch: 1n, sequence: 1n, body }),
    MalformedError,
  );
  const long: StatementBody = {
    ...{ kind: "links", time: timeText() },
    links: Array.from({ length: 100 }, () => [one.vkey.text, 1] as const),
  };
  await assertRejects(
    () => makeStatement({ signer: silent, epoch: 1n, sequence: 1n, body: long }),
    MalformedError,
    "expected at most 8192",
  );
});
