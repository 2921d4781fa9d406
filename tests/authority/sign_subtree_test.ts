import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { MAX_PROOF_LINES } from "../../src/authority/request.ts";
import { CosignatureForgotten } from "../../src/authority/subtree_signer.ts";
import { originHash, WITNESS_FILE } from "../../src/authority/witness_state.ts";
import { verifySubtreeCosignature } from "../../src/tlog/cosignature.ts";
import { base64, utf8 } from "../../src/tlog/encoding.ts";
import { leafHash } from "../../src/tlog/hashing.ts";
import { readSignatureLine } from "../../src/tlog/signature_line.ts";
import { ed25519Cosigner, mldsaCosigner } from "../tlog/cosigners.ts";
import { naiveRoot, naiveSubtreeProof } from "../tlog/naive_subtrees.ts";
import { leavesOf, PushingLog } from "./pushing_log.ts";
import { MLDSA_KEY, Stage } from "./stage.ts";

/** Entries of the checkpoint that requests refer to. */
const SIZE = 14;

/** A request, of which parts can be replaced. */
function request(
  { start, end, note, size = SIZE, history = 0, range, hash, proof }: {
    start: number;
    end: number;
    note: string;
    size?: number;
    history?: number;
    range?: string;
    hash?: string;
    proof?: readonly string[];
  },
): Uint8Array {
  const leaves = leavesOf(size, history);
  const lines = [
    range ?? `subtree ${start} ${end}`,
    hash ?? base64(naiveRoot(leaves.slice(start, end))),
    ...proof ?? naiveSubtreeProof({ start, end, leaves }).map(base64),
  ];
  return utf8(`${lines.map((line) => `${line}\n`).join("")}\n${note}`);
}

/** A witness with both keys that has cosigned SIZE, and the cosigned note. */
async function cosigned(
  { limits, size = SIZE }: {
    limits?: { perSecondPerLog: number; perSecond: number };
    size?: number;
  } = {},
): Promise<{ stage: Stage; note: string }> {
  const stage = await Stage.of(["log.invalid/one"], { both: true, ...(limits && { limits }) });
  assertEquals(await stage.status({ old: 0n, size: BigInt(size) }), 200);
  return { stage, note: await latest(stage) };
}

async function latest(stage: Stage): Promise<string> {
  return (await stage.witness.latest(originHash(stage.log().log.origin)))!;
}

/** A note with some of its signature lines. */
function withLines(note: string, keep: (line: string, at: number) => boolean): string {
  const [text, lines] = note.split("\n\n") as [string, string];
  return `${text}\n\n${
    lines.trimEnd().split("\n").filter(keep).map((line) => `${line}\n`).join("")
  }`;
}

Deno.test("sign-subtree: the line is one 0x06 cosignature on the subtree, with 8 bytes of zero", async () => {
  const { stage, note } = await cosigned();
  const answer = await stage.signSubtree(request({ start: 8, end: 13, note }));
  assert(answer.status === 200);
  const line = /^(— witness\.invalid\/ber \S+)\n$/.exec(answer.lines)?.[1];
  const { keyId, signature } = readSignatureLine(line!)!;
  assertEquals([keyId, signature.length], [MLDSA_KEY.vkey.keyId, 8 + 2_420]);
  assertEquals(signature.slice(0, 8), new Uint8Array(8));
  const hash = naiveRoot(leavesOf(SIZE).slice(8, 13));
  const subtree = { origin: "log.invalid/one", start: 8n, end: 13n, hash };
  const { vkey } = MLDSA_KEY;
  assert(verifySubtreeCosignature({ vkey, subtree, signature }));
  for (const other of [{ start: 0n }, { end: 12n }, { hash: leafHash(hash) }, { origin: "x" }]) {
    assert(!verifySubtreeCosignature({ vkey, subtree: { ...subtree, ...other }, signature }));
  }
});

Deno.test("sign-subtree: every subtree of a cosigned tree is cosigned, the whole one too", async () => {
  const { stage, note } = await cosigned();
  for (const [start, end] of [[0, 1], [13, 14], [12, 14], [0, 14], [0, 8], [4, 7]] as const) {
    assertEquals((await stage.signSubtree(request({ start, end, note }))).status, 200);
  }
});

Deno.test("sign-subtree: nothing of a frozen log is cosigned, not even if it froze meanwhile", async () => {
  const { stage, note } = await cosigned();
  const body = request({ start: 8, end: 13, note });
  stage.frozen.add("log.invalid/one");
  const answer = await stage.signSubtree(body);
  assertEquals(answer.status, 503);
  assertStringIncludes(JSON.stringify(answer), "has frozen the log");
  stage.frozen.clear();
  let asked = 0;
  stage.onAsked = () => void (++asked === 2 && stage.frozen.add("log.invalid/one"));
  assertEquals((await stage.signSubtree(body)).status, 503);
  stage.frozen.clear();
  assertEquals((await stage.signSubtree(body)).status, 200);
});

Deno.test("sign-subtree: a checkpoint that was cosigned before, and grew since, still counts", async () => {
  const { stage, note } = await cosigned();
  assertEquals(await stage.status({ old: 14n, size: 20n }), 200);
  assertEquals((await stage.signSubtree(request({ start: 8, end: 13, note }))).status, 200);
});

Deno.test("sign-subtree: each of our keys vouches for the checkpoint, one is enough", async () => {
  const { stage, note } = await cosigned();
  for (const at of [1, 2]) {
    const one = withLines(note, (_, i) => i === at);
    assertEquals((await stage.signSubtree(request({ start: 8, end: 13, note: one }))).status, 200);
  }
});

Deno.test("sign-subtree: a checkpoint without our cosignature is 403, whoever else signed it", async () => {
  const { stage, note } = await cosigned();
  const text = `${note.split("\n\n")[0]!}\n`;
  const logOnly = withLines(note, (_, i) => i === 0);
  const others = [ed25519Cosigner("witness.invalid/ber"), mldsaCosigner("witness.invalid/ber")]
    .map((cosigner) => `${cosigner.line(text)}\n`).join("");
  for (const each of [logOnly, `${logOnly}${others}`]) {
    assertEquals((await stage.signSubtree(request({ start: 8, end: 13, note: each }))).status, 403);
  }
});

Deno.test("sign-subtree: our cosignature on another checkpoint is 403", async () => {
  const { stage, note } = await cosigned();
  const lines = note.split("\n\n")[1]!;
  const other = await stage.log().note({ size: 14n, history: 1 });
  const moved = `${other.split("\n\n")[0]!}\n\n${lines}`;
  const body = request({ start: 8, end: 13, note: moved, history: 1 });
  assertEquals((await stage.signSubtree(body)).status, 403);
});

Deno.test("sign-subtree: what was signed and refused is never cosigned in parts", async () => {
  const { stage } = await cosigned();
  assertEquals(await stage.status({ old: 14n, size: 14n, history: 1, proof: [] }), 422);
  const note = await stage.log().note({ size: 14n, history: 1 });
  const body = request({ start: 8, end: 13, note, history: 1 });
  assertEquals((await stage.signSubtree(body)).status, 403);
});

Deno.test("sign-subtree: an unknown origin is 404", async () => {
  const { stage } = await cosigned();
  const other = await PushingLog.named("log.invalid/other");
  const note = await other.note({ size: 14n });
  assertEquals((await stage.signSubtree(request({ start: 8, end: 13, note }))).status, 404);
});

Deno.test("sign-subtree: a range that is no subtree, or is empty, is 400", async () => {
  const { stage, note } = await cosigned();
  for (const range of ["8 8", "0 0", "13 8", "2 5", "1 3", "4 9", "6 9"]) {
    const body = request({ start: 8, end: 13, note, range: `subtree ${range}` });
    assertEquals([range, (await stage.signSubtree(body)).status], [range, 400]);
  }
});

Deno.test("sign-subtree: an end above the checkpoint's size is 400", async () => {
  const { stage, note } = await cosigned();
  const body = request({ start: 8, end: 15, note, size: 16 });
  const answer = await stage.signSubtree(body);
  assert(answer.status === 400);
  assertStringIncludes(answer.problem, "expected at most the checkpoint's size, 14");
});

Deno.test("sign-subtree: another hash, or a wrong, short or long proof, is 422", async () => {
  const { stage, note } = await cosigned();
  const [start, end] = [8, 13];
  const proof = naiveSubtreeProof({ start, end, leaves: leavesOf(SIZE) }).map(base64);
  const other = `${"A".repeat(43)}=`;
  const wrong = [
    { hash: other },
    { hash: base64(naiveRoot(leavesOf(SIZE, 1).slice(start, end))) },
    { proof: proof.with(0, other) },
    { proof: proof.slice(1) },
    { proof: [...proof, other] },
    { proof: [] },
    { proof: Array(MAX_PROOF_LINES).fill(other) },
  ];
  for (const each of wrong) {
    assertEquals((await stage.signSubtree(request({ start, end, note, ...each }))).status, 422);
  }
});

const MALFORMED: readonly [what: string, body: (request: string, note: string) => string][] = [
  ["nothing", () => ""],
  ["no empty line", (all) => all.replace("\n\n", "\n")],
  ["`subtree 08 13`", (all) => all.replace("8 13", "08 13")],
  ["`subtree 8 013`", (all) => all.replace("8 13", "8 013")],
  ["`subtree 8`", (all) => all.replace("8 13", "8")],
  ["`subtree 8 13 `", (all) => all.replace("8 13", "8 13 ")],
  ["`subtree 8  13`", (all) => all.replace("8 13", "8  13")],
  ["`subtree +8 13`", (all) => all.replace("8 13", "+8 13")],
  ["`subtree -8 13`", (all) => all.replace("8 13", "-8 13")],
  ["an end above 2^63 - 1", (all) => all.replace("8 13", "0 9223372036854775808")],
  ["`SUBTREE`", (all) => all.replace("subtree", "SUBTREE")],
  ["`old 8`", (all) => all.replace("subtree 8 13", "old 8")],
  ["CR LF", (all) => all.replaceAll("\n", "\r\n")],
  ["no hash", (_, note) => `subtree 0 14\n\n${note}`],
  ["a hash in hex", (_, note) => `subtree 0 14\n${"0".repeat(64)}\n\n${note}`],
  ["a hash of 31 bytes", (_, note) => `subtree 0 14\n${"A".repeat(40)}AA==\n\n${note}`],
  ["a hash with other pad bits", (_, note) => `subtree 0 14\n${"A".repeat(42)}B=\n\n${note}`],
  ["a proof line with other pad bits", (all) => all.replace("=\n\n", `=\n${"A".repeat(42)}B=\n\n`)],
  [
    "a line too many of proof",
    (all) => all.replace("\n\n", `\n${`${"A".repeat(43)}=\n`.repeat(MAX_PROOF_LINES)}\n`),
  ],
  ["no note", (all) => all.slice(0, all.indexOf("\n\n") + 2)],
  ["a note without signatures", (all) => `${all.split("\n\n").slice(0, 2).join("\n\n")}\n`],
  ["a note that is no checkpoint", (all) => all.replace("\n14\n", "\nfourteen\n")],
  ["a control character", (all) => all.replace("log.invalid", "log\u0007invalid")],
];

for (const [what, change] of MALFORMED) {
  Deno.test(`sign-subtree: ${what} is malformed, 400`, async () => {
    const { stage, note } = await cosigned();
    const whole = new TextDecoder().decode(request({ start: 8, end: 13, note }));
    assertEquals((await stage.signSubtree(utf8(change(whole, note)))).status, 400);
    assertEquals((await stage.signSubtree(utf8(whole))).status, 200, "the request is sound");
  });
}

Deno.test("sign-subtree: no request with a byte changed, and none cut short, gets another statement", async () => {
  const { stage, note } = await cosigned();
  const lean = withLines(note, (_, i) => i === 1);
  const whole = request({ start: 8, end: 13, note: lean });
  const statuses = new Set<number>();
  for (let at = 0; at < whole.length; at++) {
    for (const body of [whole.with(at, whole[at]! ^ 1), whole.slice(0, at)]) {
      const { status } = await stage.signSubtree(body);
      statuses.add(status);
      assert(status !== 200, `byte ${at}`);
    }
  }
  assertEquals([...statuses].sort(), [400, 403, 404, 422]);
  assertEquals((await stage.signSubtree(whole)).status, 200);
});

Deno.test("sign-subtree: a huge request is refused soon", async () => {
  const { stage } = await cosigned();
  for (const text of ["subtree 0 1\n\n", "subtree 0 1\n", "A", "\n", "— \n"]) {
    const body = utf8(text.repeat(Math.ceil(1_000_000 / text.length)));
    assertEquals((await stage.signSubtree(body)).status, 400);
  }
});

Deno.test("sign-subtree: a cosignature of ours that our state does not account for is 503, and told", async () => {
  const { stage, note } = await cosigned();
  const body = request({ start: 8, end: 13, note });
  await stage.state.close();
  // The state as it was before, as from a backup.
  stage.disk.files.remove(`state/${WITNESS_FILE}`);
  await stage.start();
  assertEquals((await stage.signSubtree(body)).status, 503);
  assertEquals(await stage.status({ old: 0n, size: 5n }), 200);
  assertEquals((await stage.signSubtree(body)).status, 503);
  assertEquals(await stage.status({ old: 5n, size: 14n, history: 1 }), 422);
  const messages = stage.refused.failures.map((error) => {
    assert(error instanceof CosignatureForgotten);
    return error.message;
  });
  assertEquals(messages.length, 2);
  assertMatch(messages[0]!, /size 14 of "log\.invalid\/one", and its state knows nothing of it/);
  assertMatch(messages[1]!, /its state ends at size 5/);
});

Deno.test("sign-subtree: our cosignatures on two roots at one size are told, and neither is used", async () => {
  const { stage, note } = await cosigned();
  await stage.state.close();
  stage.disk.files.remove(`state/${WITNESS_FILE}`);
  await stage.start();
  assertEquals(await stage.status({ old: 0n, size: 14n, history: 1 }), 200);
  assertEquals((await stage.signSubtree(request({ start: 8, end: 13, note }))).status, 503);
  assertMatch(String(stage.refused.failures), /has another root there/);
});

Deno.test("sign-subtree: its rate is not the log's: who asks for subtrees keeps no log waiting", async () => {
  const { stage, note } = await cosigned({ limits: { perSecondPerLog: 3, perSecond: 1_000 } });
  const body = request({ start: 8, end: 13, note });
  const statuses = [];
  for (let i = 0; i < 5; i++) statuses.push((await stage.signSubtree(body)).status);
  assertEquals(statuses, [200, 200, 200, 429, 429]);
  assertEquals(await stage.status({ old: 14n, size: 15n }), 200);
  stage.clock.ms = 1_000;
  assertEquals((await stage.signSubtree(body)).status, 200);
});

Deno.test("sign-subtree: a checkpoint without our cosignature costs its sender, and not the log", async () => {
  const { stage, note } = await cosigned({ limits: { perSecondPerLog: 3, perSecond: 100 } });
  const body = request({ start: 8, end: 13, note: withLines(note, (_, i) => i === 0) });
  let paid = 0;
  while (stage.witness.pay("192.0.2.1") && paid < 50) {
    paid++;
    await stage.signSubtree(body);
  }
  assertEquals(paid, 3);
  assertEquals((await stage.signSubtree(request({ start: 8, end: 13, note }))).status, 200);
});

Deno.test("sign-subtree: an origin that has no place in the message is 404, and no failure of ours", async () => {
  const stage = await Stage.of(["x".repeat(256)], { both: true });
  assertEquals(await stage.status({ old: 0n, size: BigInt(SIZE) }), 200);
  const answer = await stage.signSubtree(
    request({ start: 8, end: 13, note: await latest(stage) }),
  );
  assertEquals([answer.status, stage.refused.failures], [404, []]);
});
