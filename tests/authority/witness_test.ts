import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { MAX_WAITING_PER_LOG } from "../../src/authority/witness.ts";
import { originHash } from "../../src/authority/witness_state.ts";
import { utf8 } from "../../src/tlog/encoding.ts";
import { parseNote } from "../../src/tlog/note.ts";
import { PushingLog } from "./pushing_log.ts";
import { cosignersOf, ED25519_KEY, MLDSA_KEY, Stage } from "./stage.ts";

const NOW = BigInt(Date.UTC(2026, 10, 28) / 1000);

/** A stage whose witness has cosigned size 5. */
async function atFive(...given: Parameters<typeof Stage.of>): Promise<Stage> {
  const stage = await Stage.of(...given);
  assertEquals(await stage.status({ old: 0n, size: 5n }), 200);
  return stage;
}

async function recordedSize(stage: Stage): Promise<string | undefined> {
  const note = await stage.witness.latest(originHash(stage.log().log.origin));
  return note?.split("\n")[1];
}

Deno.test("witness: it cosigns a first checkpoint, and what extends it, with its time", async () => {
  const stage = await atFive();
  const answer = await stage.push({ old: 5n, size: 9n });
  assert(answer.status === 200);
  const { text } = parseNote(await stage.log().note({ size: 9n }));
  const lines = answer.lines.split("\n");
  assertEquals(lines.pop(), "", "each line has its newline");
  assertEquals(cosignersOf(text, lines), [`0x04 at ${NOW}`]);
});

Deno.test("witness: with a second key it sends an ML-DSA-44 cosignature too", async () => {
  const stage = await Stage.of(["log.invalid/one"], { both: true });
  const answer = await stage.push({ old: 0n, size: 5n });
  assert(answer.status === 200);
  const { text } = parseNote(await stage.log().note({ size: 5n }));
  const lines = answer.lines.trimEnd().split("\n");
  assertEquals(cosignersOf(text, lines), [`0x04 at ${NOW}`, `0x06 at ${NOW}`]);
  assertEquals([ED25519_KEY.vkey.name, MLDSA_KEY.vkey.name], Array(2).fill("witness.invalid/ber"));
});

Deno.test("witness: the latest checkpoint has the log's line and ours, and no other", async () => {
  const stage = await Stage.of();
  const text = parseNote(await stage.log().note({ size: 5n })).text;
  const forged = ED25519_KEY.vkey.name;
  const body = utf8(
    `old 0\n\n${await stage.log().note({ size: 5n })}— ${forged} ${"A".repeat(96)}\n`,
  );
  const answer = await stage.send(body);
  assert(answer.status === 200);
  const kept = await stage.witness.latest(originHash(stage.log().log.origin));
  assertEquals(kept, `${text}\n${await stage.log().line(text)}\n${answer.lines}`);
});

Deno.test("witness: a log that was never cosigned has no latest checkpoint", async () => {
  const stage = await Stage.of();
  assertEquals(await stage.witness.latest(originHash(stage.log().log.origin)), undefined);
  assertEquals(await stage.witness.latest("00".repeat(32)), undefined);
});

Deno.test("witness: first contact with an old size other than 0 is 409 with size 0", async () => {
  const stage = await Stage.of();
  assertEquals(await stage.push({ old: 3n, size: 5n }), { status: 409, size: 0n });
});

Deno.test("witness: size 0 with another root than SHA-256 of nothing is 422", async () => {
  const stage = await Stage.of();
  const root = new Uint8Array(32);
  assertEquals(await stage.status({ old: 0n, size: 0n, root }), 422);
  assertEquals(await stage.status({ old: 0n, size: 0n }), 200);
  assertEquals(await stage.status({ old: 0n, size: 0n, root }), 422);
  assertEquals(await stage.status({ old: 1n, size: 0n, root }), 400);
  assertEquals([stage.refused.conflicts, stage.refused.open], [[], []], "it contradicts nothing");
  await stage.status({ old: 0n, size: 5n });
  assertEquals(await stage.push({ old: 0n, size: 0n, root }), { status: 409, size: 5n });
});

Deno.test("witness: another root at the recorded size is 422, and evidence", async () => {
  const stage = await atFive();
  assertEquals(await stage.status({ old: 5n, size: 5n, history: 1, proof: [] }), 422);
  assertEquals(stage.refused.conflicts.length, 1);
  const [{ recorded, refused }] = stage.refused.conflicts as [typeof stage.refused.conflicts[0]];
  assertEquals(recorded.note, await stage.log().note({ size: 5n }));
  assertEquals(refused.note, await stage.log().note({ size: 5n, history: 1 }));
  assertEquals(await recordedSize(stage), "5");
});

Deno.test("witness: two roots at one size are evidence whatever old size is sent", async () => {
  const stage = await atFive();
  assertEquals(await stage.status({ old: 3n, size: 5n, history: 1 }), 409);
  assertEquals(await stage.status({ old: 9n, size: 5n, history: 1 }), 400);
  assertEquals(stage.refused.conflicts.length, 2);
});

Deno.test("witness: a root in non-canonical base64 is 400", async () => {
  const stage = await Stage.of();
  const note = await stage.log().note({ size: 5n });
  const [origin, size, root] = note.split("\n") as [string, string, string];
  // The last digit of 32 bytes in base64 carries two bits that mean nothing.
  const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const other = digits[digits.indexOf(root.at(-2)!) ^ 1]!;
  const text = `${origin}\n${size}\n${root.slice(0, -2)}${other}=\n`;
  const body = utf8(`old 0\n\n${text}\n${await stage.log().line(text)}\n`);
  const answer = await stage.send(body);
  assert(answer.status === 400);
  assertStringIncludes(answer.problem, "not canonical base64");
});

Deno.test("witness: a wrong signature of a trusted key is 403", async () => {
  const stage = await Stage.of();
  const other = await PushingLog.named("log.invalid/other");
  const [{ name, keyId }, text] = [
    stage.log().log.vkey,
    parseNote(await stage.log().note({ size: 5n })).text,
  ];
  const wrong = (await other.line(text)).split(" ")[2]!;
  const payload = Uint8Array.fromBase64(wrong);
  new DataView(payload.buffer).setUint32(0, keyId);
  const body = utf8(`old 0\n\n${text}\n— ${name} ${payload.toBase64()}\n`);
  assertEquals((await stage.send(body)).status, 403);
});

Deno.test("witness: no signature of a trusted key is 403", async () => {
  const stage = await Stage.of();
  const other = await PushingLog.named("log.invalid/other");
  const text = parseNote(await stage.log().note({ size: 5n })).text;
  const body = utf8(`old 0\n\n${text}\n${await other.line(text)}\n`);
  assertEquals((await stage.send(body)).status, 403);
});

Deno.test("witness: an unknown origin is 404", async () => {
  const stage = await Stage.of();
  const other = await PushingLog.named("log.invalid/other");
  assertEquals((await stage.send(await other.request({ old: 0n, size: 5n }))).status, 404);
});

const MALFORMED: readonly [what: string, body: (note: string) => string][] = [
  ["`old 007`", (note) => `old 007\n\n${note}`],
  ["`old -1`", (note) => `old -1\n\n${note}`],
  ["`old` without a size", (note) => `old\n\n${note}`],
  ["`old 5 `", (note) => `old 5 \n\n${note}`],
  ["`old` above 2^63 - 1", (note) => `old 9223372036854775808\n\n${note}`],
  ["`OLD 0`", (note) => `OLD 0\n\n${note}`],
  ["CR LF", (note) => `old 0\r\n\r\n${note}`],
  ["no empty line", (note) => `old 0\n${note.split("\n\n")[0]}\n`],
  ["nothing", () => ""],
  ["an empty line first", (note) => `\nold 0\n\n${note}`],
  ["no note", () => "old 0\n\n"],
  ["no checkpoint", () => "old 0\n\nlog.invalid/one\nfive\n\n— log.invalid/one AAAAAAAA\n"],
  ["a note without signatures", (note) => `old 0\n\n${note.split("\n\n")[0]}\n`],
  ["a proof line of 31 bytes", (note) => `old 0\n${"A".repeat(40)}AA==\n\n${note}`],
  ["a proof line with other pad bits", (note) => `old 0\n${"A".repeat(42)}B=\n\n${note}`],
  ["a proof line in hex", (note) => `old 0\n${"0".repeat(64)}\n\n${note}`],
  ["64 proof lines", (note) => `old 0\n${`${"A".repeat(43)}=\n`.repeat(64)}\n${note}`],
];

for (const [what, body] of MALFORMED) {
  Deno.test(`witness: ${what} is malformed, 400`, async () => {
    const stage = await Stage.of();
    const note = await stage.log().note({ size: 5n });
    assertEquals((await stage.send(utf8(body(note)))).status, 400);
    assertEquals((await stage.send(utf8(`old 0\n\n${note}`))).status, 200, "the note is sound");
  });
}

Deno.test("witness: bytes that are no UTF-8 are malformed, 400", async () => {
  const stage = await Stage.of();
  const body = await stage.log().request({ old: 0n, size: 5n });
  for (const at of [0, 8]) assertEquals((await stage.send(body.with(at, 0xff))).status, 400);
});

Deno.test("witness: 63 proof lines are read, and are a wrong proof", async () => {
  const stage = await atFive();
  const proof = Array(63).fill(`${"A".repeat(43)}=`);
  assertEquals(await stage.status({ old: 5n, size: 9n, proof }), 422);
});

Deno.test("witness: an old size above the checkpoint's is 400", async () => {
  const stage = await atFive();
  assertEquals(await stage.status({ old: 6n, size: 5n }), 400);
});

Deno.test("witness: a smaller checkpoint with the right old size is 400", async () => {
  const stage = await atFive();
  assertEquals(await stage.status({ old: 5n, size: 4n }), 400);
  assertEquals(await recordedSize(stage), "5");
});

Deno.test("witness: an old size that is not the recorded one is 409 with that one", async () => {
  const stage = await atFive();
  for (const old of [0n, 4n, 6n]) {
    assertEquals(await stage.push({ old, size: 9n }), { status: 409, size: 5n });
  }
});

Deno.test("witness: a proof that fails is 422, and the signed checkpoint an open question", async () => {
  const stage = await atFive();
  const proof = stage.log().proof({ old: 5n, size: 9n });
  const wrong = { old: 5n, size: 9n, proof: proof.with(0, `${"A".repeat(43)}=`) };
  assertEquals(await stage.status(wrong), 422);
  assertEquals(await stage.status({ old: 5n, size: 9n, proof: proof.slice(1) }), 422);
  assertEquals(await stage.status({ old: 5n, size: 9n, proof: [...proof, proof[0]!] }), 422);
  assertEquals(stage.refused.open.map(({ treeSize }) => treeSize), [9n, 9n, 9n]);
  assertEquals(stage.refused.conflicts, [], "a made-up proof convicts nobody");
  assertEquals(await stage.status({ old: 5n, size: 9n }), 200);
});

Deno.test("witness: a history that parts is 422 even with a proof of its own", async () => {
  const stage = await atFive();
  assertEquals(await stage.status({ old: 5n, size: 9n, history: 1 }), 422);
  assertEquals(stage.refused.open.length, 1);
});

Deno.test("witness: a proof from size 0, or between equal sizes, must be empty", async () => {
  const proof = [`${"A".repeat(43)}=`];
  const stage = await Stage.of();
  assertEquals(await stage.status({ old: 0n, size: 5n, proof }), 422);
  assertEquals(await stage.status({ old: 0n, size: 5n }), 200);
  assertEquals(await stage.status({ old: 5n, size: 5n, proof }), 422);
});

Deno.test("witness: the same checkpoint is cosigned again, with the time of now", async () => {
  const stage = await atFive();
  stage.clock.ms = 60_000;
  const answer = await stage.push({ old: 5n, size: 5n });
  assert(answer.status === 200);
  const { text } = parseNote(await stage.log().note({ size: 5n }));
  assertEquals(cosignersOf(text, answer.lines.split("\n")), [`0x04 at ${NOW + 60n}`]);
});

Deno.test("witness: of two checkpoints at one time only one is cosigned", async () => {
  const stage = await atFive();
  const pushes = [0, 1].map((history) => stage.status({ old: 5n, size: 6n, history }));
  assertEquals(await Promise.all(pushes), [200, 409]);
  assertEquals(stage.refused.conflicts.length, 1, "the other one is evidence");
  const both = [6n, 6n].map((old) => stage.status({ old, size: 9n }));
  assertEquals((await Promise.all(both)).sort(), [200, 409]);
});

Deno.test("witness: extension lines are cosigned with 0x04, and do not make another head", async () => {
  const stage = await atFive();
  assertEquals(await stage.status({ old: 5n, size: 5n, extensions: "more\n" }), 200);
  assertEquals(stage.refused.conflicts, []);
});

Deno.test("witness: a log may not send more than its rate, and another one may", async () => {
  const limits = { perSecondPerLog: 3, perSecond: 1_000 };
  const stage = await Stage.of(["log.invalid/one", "log.invalid/two"], { limits });
  const statuses = [];
  for (let i = 0; i < 5; i++) statuses.push(await stage.status({ old: 9n, size: 9n }));
  assertEquals(statuses, [409, 409, 409, 429, 429]);
  assertEquals(await stage.status({ old: 0n, size: 9n }, 1), 200);
  stage.clock.ms = 1_000;
  assertEquals(await stage.status({ old: 0n, size: 9n }), 200);
});

Deno.test("witness: nobody uses up a log's rate without the log's signature", async () => {
  const limits = { perSecondPerLog: 3, perSecond: 1_000 };
  const stage = await Stage.of(["log.invalid/one"], { limits });
  const other = await PushingLog.named("log.invalid/other");
  const text = parseNote(await stage.log().note({ size: 5n })).text;
  const body = utf8(`old 0\n\n${text}\n${await other.line(text)}\n`);
  for (let i = 0; i < 9; i++) assertEquals((await stage.send(body)).status, 403);
  assertEquals(await stage.status({ old: 0n, size: 5n }), 200);
});

Deno.test("witness: wrong signatures cost their sender, and not everybody", async () => {
  const stage = await Stage.of(["log.invalid/one"], {
    limits: { perSecondPerLog: 3, perSecond: 100 },
  });
  const other = await PushingLog.named("log.invalid/other");
  const text = parseNote(await stage.log().note({ size: 5n })).text;
  const body = utf8(`old 0\n\n${text}\n${await other.line(text)}\n`);
  const pay = () => stage.witness.pay("192.0.2.1");
  let paid = 0;
  while (pay() && paid < 50) {
    paid++;
    await stage.send(body);
  }
  assertEquals(paid, 3);
  assert(stage.witness.pay("192.0.2.2"));
});

Deno.test("witness: addresses of one IPv6 network pay together for wrong signatures", async () => {
  const stage = await Stage.of(["log.invalid/one"], {
    limits: { perSecondPerLog: 3, perSecond: 100 },
  });
  const other = await PushingLog.named("log.invalid/other");
  const text = parseNote(await stage.log().note({ size: 5n })).text;
  const body = utf8(`old 0\n\n${text}\n${await other.line(text)}\n`);
  let paid = 0;
  while (paid < 50 && stage.witness.pay(`2001:db8::${paid}`)) {
    await stage.witness.addCheckpoint(body, `2001:db8::${paid++}`);
  }
  assertEquals(paid, 3);
});

Deno.test("witness: so many requests of one log wait, and no more", async () => {
  const stage = await atFive();
  const bodies = await Promise.all(
    Array.from(
      { length: MAX_WAITING_PER_LOG + 2 },
      () => stage.log().request({ old: 5n, size: 6n }),
    ),
  );
  const answers = await Promise.all(bodies.map((body) => stage.send(body)));
  const statuses = answers.map(({ status }) => status);
  assertEquals(statuses.filter((status) => status === 429).length, 2);
  assertEquals(statuses.filter((status) => status === 200).length, 1);
});

Deno.test("witness: if the disk refuses, nothing is handed out and nothing recorded", async () => {
  const stage = await atFive();
  stage.disk.fail({ at: 1, when: "before", lasting: false });
  assertEquals(await stage.status({ old: 5n, size: 9n }), 503);
  assertEquals(stage.refused.failures.length, 1);
  stage.disk.fail(undefined);
  assertEquals(await stage.push({ old: 6n, size: 9n }), { status: 409, size: 5n });
  assertEquals(await stage.status({ old: 5n, size: 9n }), 200);
});

Deno.test("witness: every line of a request that is dropped, doubled or cut is no 200", async () => {
  const stage = await atFive();
  const whole = new TextDecoder().decode(await stage.log().request({ old: 5n, size: 11n }));
  const lines = whole.split("\n").slice(0, -1);
  for (const [i, line] of lines.entries()) {
    const empty = line === "";
    const bad = [
      lines.toSpliced(i, 1),
      lines.with(i, line.slice(0, -1)),
      lines.with(i, `${line} `),
      lines.with(i, `${line}\u0000`),
      // A doubled line of signature or empty line may be legal; of the rest none is.
      ...(i < lines.length - 1 && !empty ? [lines.toSpliced(i, 0, line)] : []),
    ];
    for (const [which, changed] of bad.entries()) {
      const text = changed.map((each) => `${each}\n`).join("");
      if (text === whole) continue;
      const { status } = await stage.send(utf8(text));
      assert(status !== 200, `line ${i} changed in way ${which} is answered 200`);
    }
  }
  for (let length = 0; length < whole.length; length++) {
    const { status } = await stage.send(utf8(whole.slice(0, length)));
    assert(status === 400 || status === 403, `${length} bytes are answered ${status}`);
  }
  assertEquals(await recordedSize(stage), "5");
  assertEquals((await stage.send(utf8(whole))).status, 200);
});

Deno.test("witness: a huge request is refused soon", async () => {
  const stage = await Stage.of();
  for (const text of ["old 0\n\n", "old 0\n", "A", "\n", "— \n"]) {
    const body = utf8(text.repeat(Math.ceil(1_000_000 / text.length)));
    assertEquals((await stage.send(body)).status, 400);
  }
});

Deno.test("witness: of a frozen log what would be cosigned is 503, and what it signs is kept", async () => {
  const stage = await atFive();
  const { origin } = stage.log().log;
  stage.frozen.add(origin);
  for (const [old, size] of [[5n, 9n], [5n, 5n]] as const) {
    const answer = await stage.push({ old, size });
    assert(answer.status === 503);
    assertStringIncludes(answer.problem, "has frozen the log");
  }
  // What is wrong with a request is told as ever.
  assertEquals(await stage.status({ old: 0n, size: 9n }), 409);
  assertEquals(await stage.status({ old: 9n, size: 5n }), 400);
  assertEquals(await recordedSize(stage), "5");
  // What it signs is compared with what others say.
  assertEquals(new Set(stage.refused.open.map(({ treeSize }) => treeSize)), new Set([9n]));
  stage.frozen.delete(origin);
  assertEquals(await stage.status({ old: 5n, size: 9n }), 200);
});

Deno.test("witness: of a frozen log a second root at the recorded size is evidence all the same", async () => {
  const stage = await atFive();
  stage.frozen.add(stage.log().log.origin);
  assertEquals(await stage.status({ old: 5n, size: 5n, history: 1, proof: [] }), 422);
  assertEquals(stage.refused.conflicts.length, 1);
});

Deno.test("witness: one frozen log keeps no other from its cosignature", async () => {
  const stage = await Stage.of(["log.invalid/one", "log.invalid/two"]);
  stage.frozen.add("log.invalid/one");
  assertEquals(await stage.status({ old: 0n, size: 5n }, 0), 503);
  assertEquals(await stage.status({ old: 0n, size: 5n }, 1), 200);
});

Deno.test("witness: a case that comes while a checkpoint is signed keeps the cosignature here", async () => {
  const stage = await atFive();
  let asked = 0;
  // The first question comes before it is signed, the second after that.
  stage.onAsked = () => {
    if (++asked === 2) stage.frozen.add(stage.log().log.origin);
  };
  assertEquals(await stage.status({ old: 5n, size: 9n }), 503);
  assertEquals([asked, await recordedSize(stage)], [2, "5"]);
});
