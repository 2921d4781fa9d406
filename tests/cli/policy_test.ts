/** `policy check`, `check` and `proof verify`, as a person runs them. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import type { TestLog } from "../../src/sources/test_log.ts";
import { base64, utf8 } from "../../src/tlog/encoding.ts";
import { sha256 } from "../../src/tlog/hashing.ts";
import { parseNote } from "../../src/tlog/note.ts";
import { sigsumOrigin } from "../../src/tlog/sigsum.ts";
import { readSignatureLine } from "../../src/tlog/signature_line.ts";
import { denoWorld } from "../../src/world/deno.ts";
import { generateSigner } from "../../src/world/signer.ts";
import { makeVkey } from "../../src/tlog/vkey.ts";
import { type MadeWitness, witness, witnesses } from "../authority/policies.ts";
import { grow, newLog } from "../evidence/histories.ts";
import { inFolder, put, run, start } from "./harness.ts";

const [A, B, C] = witnesses(3) as [MadeWitness, MadeWitness, MadeWitness];

function policyFile(folder: string, ...lines: readonly string[]): string {
  return put(folder, "policy.txt", lines.map((line) => `${line}\n`).join(""));
}

/** A policy of two of three witnesses for this log. */
function twoOfThree(folder: string, log: TestLog): string {
  const defined = [A, B, C].map(({ defined }) => defined);
  return policyFile(
    folder,
    `log ${log.log.vkey.text}`,
    ...[...defined, "group two 2 W1 W2 W3", "quorum two"],
  );
}

/** A note with cosignatures of a time. */
function cosigned(note: string, time: bigint, ...made: readonly MadeWitness[]): string {
  const { text } = parseNote(note);
  return note + made.map(({ line }) => `${line(text, time)}\n`).join("");
}

const NOW = BigInt(Math.floor(Date.now() / 1_000));

inFolder("policy check: says what a policy tolerates, in words and as JSON", async (folder) => {
  const log = await newLog();
  const policy = twoOfThree(folder, log);
  const said = await run("policy", "check", policy);
  assertEquals([said.code, said.out.slice(1)], [0, [
    "  quorum: 2 of (W1, W2, W3)",
    "  ✓ any 1 witness may fail; without W2 and W3 nothing is committed",
    "  ! no witness may lie: if W3 lies, two inconsistent checkpoints can both be committed",
    "  ✓ any two quorums share at least 1 witness, which has to be honest",
  ]]);
  const { code, out } = await run("policy", "check", policy, "--json");
  assertEquals([code, out.length], [0, 1]);
  const { exit, quorum, tolerance, groups } = JSON.parse(out[0]!);
  assertEquals({ exit, quorum, tolerance, groups }, {
    ...{ exit: 0, quorum: "two" },
    groups: [{ line: 5, name: "two", threshold: 2, members: ["W1", "W2", "W3"] }],
    tolerance: {
      ...{ witnesses: 3, failures_to_stop: 2, stopping: ["W2.invalid", "W3.invalid"] },
      ...{ liars_to_split: 1, splitting: ["W3.invalid"] },
    },
  });
});

inFolder(
  "policy check: 2 for a policy that breaks a rule, or that no liar is needed to break",
  async (folder) => {
    const broken = policyFile(folder, A.defined, "quorum W2");
    const { code, err } = await run("policy", "check", broken);
    assertEquals(code, 2);
    assertMatch(
      err[0]!,
      /the policy ".*policy\.txt": line 2: "W2" is not defined in a line before/,
    );
    const any = policyFile(folder, A.defined, B.defined, "group g any W1 W2", "quorum g");
    const weak = await run("policy", "check", any);
    assertEquals(weak.code, 2);
    assertMatch(weak.out.join("\n"), /✗ two quorums need not share a witness: .* though none lies/);
    const none = await run("policy", "check", policyFile(folder, "quorum none"));
    assertEquals([none.code, JSON.stringify(none.out).includes("the quorum is none")], [2, true]);
  },
);

inFolder("policy check: warns of what its author may not have meant", async (folder) => {
  const log = await newLog();
  const { vkey: { name, publicKey } } = log.log;
  const own = makeVkey({ name, type: 0x04, publicKey }).text;
  const again = witness("again", { keyName: "W1.invalid" });
  const lines = [`log ${log.log.vkey.text}`, `witness own ${own}`, A.defined, again.defined];
  const policy = policyFile(folder, ...lines, B.defined, "group g all own W1 again", "quorum g");
  const { code, out } = await run("policy", "check", policy);
  assertEquals(code, 0);
  assertMatch(out.join("\n"), /any 1 witness may lie; if own and W1 \(and again\) lie, two/);
  assertEquals(out.filter((line) => line.includes("! line")), [
    "  ! line 2: the witness own has the key of the log in line 1: it vouches for itself",
    "  ! line 4: the key bears the name of the one in line 3: the two count as one witness",
    "  ! line 5: the witness W2 has no part in the quorum",
  ]);
});

inFolder("policy check: a byte order mark is dropped, and UTF-16 is named", async (folder) => {
  const marked = put(folder, "marked", `\u{FEFF}quorum none\n`);
  assertEquals((await run("policy", "check", marked)).err, []);
  const wide = put(folder, "wide", Uint8Array.of(0xff, 0xfe, 0x71, 0x00));
  assertMatch((await run("policy", "check", wide)).err[0]!, /UTF-16 \(little-endian\)/);
});

inFolder("check: 0 for a committed checkpoint, 3 for another, 2 for none", async (folder) => {
  const log = grow(await newLog(), 5);
  const policy = twoOfThree(folder, log);
  const note = await log.checkpoint();
  const good = put(folder, "good", cosigned(note, NOW - 3600n, A, C));
  const yes = await run("check", good, "--policy", policy);
  assertEquals(yes.code, 0);
  assertMatch(yes.out.join("\n"), /✓ signed by test\.invalid\/log .*\n.*✓ cosigned by W1, 60m ago/);
  assertMatch(
    yes.out.join("\n"),
    /! not cosigned by W2\n {2}! no monitor was asked whether it has frozen the log: .*\ncommitted: .*\(witnesses: 2 of 3\)$/,
  );
  const json = await run("check", good, "--policy", policy, "--json");
  assertEquals(JSON.parse(json.out[0]!).monitor_asked, false);
  const few = put(folder, "few", cosigned(note, NOW, A));
  const no = await run("check", few, "--policy", policy);
  assertEquals([no.code, no.out.at(-1)!.startsWith("NOT committed")], [3, true]);
  assertEquals((await run("check", good, few, "--policy", policy)).code, 3);
  const other = grow(await newLog("other.invalid/log"), 5);
  const foreign = put(folder, "foreign", await other.checkpoint());
  const unknown = await run("check", foreign, "--policy", policy);
  assertEquals([unknown.code, unknown.out.at(-1)], [
    ...[3, "NOT committed: no log of the policy has signed it"],
  ]);
  const nothing = await run("check", put(folder, "text", "hello\n"), "--policy", policy);
  assertEquals(nothing.code, 2);
  assertMatch(nothing.err[0]!, /text": Cannot read note/);
  const input = utf8(cosigned(note, NOW, A, B));
  assertEquals(
    (await start(["check", "-", "--policy", policy], denoWorld(), [], input).done).code,
    0,
  );
});

inFolder("check: --max-age leaves old cosignatures out, --log names the log", async (folder) => {
  const log = grow(await newLog(), 5);
  const policy = twoOfThree(folder, log);
  const note = put(folder, "note", cosigned(await log.checkpoint(), NOW - 7200n, A, B));
  assertEquals((await run("check", note, "--policy", policy, "--max-age", "3h")).code, 0);
  const old = await run("check", note, "--policy", policy, "--max-age", "1h");
  assertEquals([old.code, JSON.stringify(old.out).includes("too old to count")], [3, true]);
  const wrong = await run("check", note, "--policy", policy, "--max-age", "1 hour");
  assertEquals(wrong.code, 2);
  const open = policyFile(folder, A.defined, "quorum W1");
  assertEquals((await run("check", note, "--policy", open)).code, 2);
  const named = ["--log", log.log.vkey.text];
  assertEquals((await run("check", note, "--policy", open, ...named)).code, 0);
  assertEquals((await run("check", note)).code, 2);
});

inFolder(
  "check: 1 if a log or a witness signed two roots at one size, and only then",
  async (folder) => {
    const log = grow(await newLog(), 5);
    const fork = log.fork();
    const policy = twoOfThree(folder, log);
    grow(log, 6), grow(fork, 6, "other");
    const one = put(folder, "one", cosigned(await log.checkpoint(), NOW, A, B));
    const two = put(folder, "two", cosigned(await fork.checkpoint(), NOW, B, C));
    const { code, out } = await run("check", one, two, "--policy", policy);
    assertEquals(code, 1);
    const told = out.slice(out.findIndex((line) => line.startsWith("INCONSISTENT"))).join("\n");
    assertMatch(told, /✗ the log test\.invalid\/log .* has signed both/);
    assertMatch(told, /✗ the witness W2 has cosigned both/);
    assert(!told.includes("W1") && !told.includes("W3"), told);
    const json = await run("check", one, two, "--policy", policy, "--json");
    const { signed_both, cosigned_both } = JSON.parse(json.out[2]!);
    assertEquals([signed_both, cosigned_both], [[log.log.vkey.text], [B.vkey]]);
    // One head, cosigned at two times.
    const later = put(folder, "later", cosigned(await log.checkpoint(), NOW + 5n, A, B));
    assertEquals((await run("check", one, later, "--policy", policy)).code, 0);
  },
);

inFolder("check: a witness alone is convicted by two logs of one origin", async (folder) => {
  const [one, two] = [grow(await newLog(), 5), grow(await newLog(), 5, "other")];
  const policy = policyFile(
    folder,
    ...[one, two].map((log) => `log ${log.log.vkey.text}`),
    ...[A.defined, B.defined, "quorum W1"],
  );
  const notes = (made: readonly MadeWitness[]) =>
    Promise.all(
      [one, two].map(async (log, i) =>
        put(folder, `${i}`, cosigned(await log.checkpoint(), NOW, A, made[i]!))
      ),
    );
  const { code, out } = await run("check", ...await notes([B, B]), "--policy", policy);
  assertEquals(code, 1);
  assertMatch(out.join("\n"), /the witness W2 has cosigned both/);
  assert(!out.join("\n").includes("has signed both: it has equivocated"));
});

inFolder("proof verify: a tlog-proof holds for its entry alone", async (folder) => {
  // Size 5, index 4: the last leaf hangs below the root, beside the tree of four.
  const log = grow(await newLog(), 5);
  const policy = twoOfThree(folder, log);
  const head = `c2sp.org/tlog-proof@v1\nextra YWJj\nindex 4\n${base64(log.root(4n))}\n\n`;
  const note = await log.checkpoint();
  const proof = put(folder, "proof", head + cosigned(note, NOW, A, B));
  const entry = put(folder, "entry", " entry 4");
  const args = ["proof", "verify", proof, "--policy", policy];
  const yes = await run(...args, "--entry", entry);
  assertEquals([yes.code, yes.out.at(-1)], [0, "The proof holds."]);
  assertMatch(yes.out.join("\n"), /✓ the entry stands at index 4 of 5/);
  const wrong = await run(...args, "--entry", put(folder, "wrong", " entry 3"));
  assertEquals([wrong.code, wrong.out.at(-1)], [3, "The proof does NOT hold."]);
  const leaf = sha256(Uint8Array.of(0, ...utf8(" entry 4"))).toHex();
  assertEquals((await run(...args, "--leaf-hash", leaf)).code, 0);
  assertEquals((await run(...args, "--leaf-hash", leaf.replace(/./, "g"))).code, 2);
  assertEquals((await run(...args)).code, 2);
  assertEquals((await run(...args, "--entry", entry, "--raw-hash")).code, 2);
  const few = put(folder, "few", head + cosigned(note, NOW, A));
  const json = await run("proof", "verify", few, "--policy", policy, "--entry", entry, "--json");
  const { holds, faults, checkpoint } = JSON.parse(json.out[0]!);
  assertEquals([json.code, holds, faults, checkpoint.committed], [3, false, [], false]);
  const moved = put(
    folder,
    "moved",
    (head + cosigned(note, NOW, A, B)).replace("index 4", "index 3"),
  );
  assertEquals((await run("proof", "verify", moved, "--policy", policy, "--entry", entry)).code, 3);
  assertEquals((await run("proof", "verify", entry, "--policy", policy, "--entry", entry)).code, 2);
});

/** A Sigsum log of one entry, and a proof of it by a submitter. */
async function sigsumProof(content: string) {
  const world = denoWorld();
  const [log, submitter] = [
    (await generateSigner({ world, name: "log.invalid" })).signer,
    (await generateSigner({ world, name: "submitter.invalid" })).signer,
  ];
  const checksum = sha256(sha256(utf8(content)));
  const signed = await submitter.sign(
    Uint8Array.of(...utf8("sigsum.org/v1/tree-leaf\0"), ...checksum),
  );
  const keyHash = sha256(submitter.vkey.publicKey);
  const leaf = sha256(Uint8Array.of(0, ...checksum, ...signed, ...keyHash));
  const origin = sigsumOrigin(log.vkey.publicKey);
  const text = `${origin}\n1\n${base64(leaf)}\n`;
  const { signature } = readSignatureLine(A.line(text, NOW))!;
  const signedHead = new Uint8Array(await log.sign(utf8(text))).toHex();
  const proof = (version: 1 | 2) =>
    [
      `version=${version}`,
      `log=${origin.split("/").at(-1)}`,
      `leaf=${version === 1 ? `${checksum.toHex().slice(0, 4)} ` : ""}${keyHash.toHex()} ` +
      new Uint8Array(signed).toHex(),
      ...["", "size=1", `root_hash=${leaf.toHex()}`],
      `signature=${signedHead}`,
      `cosignature=${sha256(A.cosigner.vkey.publicKey).toHex()} ${NOW} ` +
      new Uint8Array(signature.slice(8)).toHex(),
      "",
    ].join("\n");
  return {
    proof,
    logKey: log.vkey.publicKey.toHex(),
    submitter: submitter.vkey.publicKey.toHex(),
  };
}

inFolder(
  "proof verify: a Sigsum proof holds for its file and its submitter alone",
  async (folder) => {
    const { proof, logKey, submitter } = await sigsumProof("hello\n");
    const policy = policyFile(
      folder,
      `log ${logKey}`,
      ...[`witness w.invalid ${A.cosigner.vkey.publicKey.toHex()}`, "quorum w.invalid"],
    );
    const entry = put(folder, "entry", "hello\n");
    for (const version of [1, 2] as const) {
      const file = put(folder, "proof", proof(version));
      const args = ["proof", "verify", file, "--policy", policy];
      const yes = await run(...args, "--entry", entry, "--submitter", submitter);
      assertEquals([yes.code, yes.out.at(-1)], [0, "The proof holds."], yes.out.join("\n"));
      const anybody = await run(...args, "--entry", entry);
      assertEquals(anybody.code, 0);
      assertMatch(anybody.out.join("\n"), /! who submitted it was not checked/);
      assertEquals((await run(...args, "--entry", entry, "--submitter", logKey)).code, 3);
      const hash = sha256(utf8("hello\n"));
      for (const content of [hash, `${hash.toHex()}\n`]) {
        const raw = put(folder, "hash", content);
        assertEquals((await run(...args, "--entry", raw, "--raw-hash")).code, 0);
      }
      const other = await run(...args, "--entry", put(folder, "other", "bye\n"));
      assertEquals(other.code, 3);
      assertEquals(/is about another entry/.test(other.out.join("\n")), version === 1);
      const lonely = proof(version).replace(/cosignature=.*\n/, "");
      const few = ["proof", "verify", put(folder, "few", lonely), "--policy", policy];
      assertEquals((await run(...few, "--entry", entry)).code, 3);
    }
    const cut = put(folder, "cut", proof(2).replace("size=1", "size=2"));
    const refused = await run("proof", "verify", cut, "--policy", policy, "--entry", entry);
    assertEquals(refused.code, 2);
    assertMatch(refused.err[0]!, /only a tree of one leaf may leave out/);
  },
);
