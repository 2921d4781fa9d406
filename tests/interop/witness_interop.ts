/**
 * Our witness and others': Tessera's log asks ours for cosignatures; the verifiers of two other
 * implementations accept them; and what omniwitness and litewitness cosign, we accept.
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { originHash } from "../../src/authority/witness_state.ts";
import { readSignatureLine } from "../../src/tlog/signature_line.ts";
import { verifySubtreeCosignature } from "../../src/tlog/cosignature.ts";
import { base64, utf8 } from "../../src/tlog/encoding.ts";
import { leafHash } from "../../src/tlog/hashing.ts";
import { parseVkey } from "../../src/tlog/vkey.ts";
import { denoWorld } from "../../src/world/deno.ts";
import { generateSigner } from "../../src/world/signer.ts";
import { PARTING, PushingLog } from "../authority/pushing_log.ts";
import { put, run, type Running, start } from "../cli/harness.ts";
import { naiveRoot, naiveSubtreeProof } from "../tlog/naive_subtrees.ts";
import { all, build, buildOwn, interopTest, interopTestOfAll, NEWER_GO } from "./go.ts";
import { freePort, runFor } from "./processes.ts";
import {
  LITEWITNESS,
  OMNIWITNESS,
  post,
  type RunningWitness,
  startLitewitness,
  startOmniwitness,
} from "./witnesses.ts";

const TESSERA = all({
  oneshot: await build("github.com/transparency-dev/tessera/cmd/examples/posix-oneshot@v1.0.4"),
  fsck: await build("github.com/transparency-dev/tessera/cmd/fsck@v1.0.4"),
});
const VERIFIERS = await buildOwn("cosignatures", NEWER_GO);

/** A monitor that is a witness with both keys, for logs that only push to it. */
class OurWitness implements AsyncDisposable {
  readonly url: string;
  #running: Running | undefined;

  private constructor(
    readonly folder: string,
    readonly port: number,
    readonly vkeys: readonly string[],
  ) {
    this.url = `http://127.0.0.1:${port}`;
  }

  static async make(folder: string, logs: readonly string[]): Promise<OurWitness> {
    const [home, port, name] = [`${folder}/witness`, freePort(), "witness.invalid/ber"];
    const made = await run(
      ...["init", "--dir", home, "--name", "monitor.invalid/ber", "--http", "127.0.0.1:0"],
      ...logs.flatMap((vkey) => ["--log", vkey]),
      ...["--witness", name, "--witness-http", `127.0.0.1:${port}`],
    );
    assertEquals(made.code, 0, made.err.join("\n"));
    const second = await run("keygen", "--witness", name, "--mldsa", "--out", `${home}/mldsa.key`);
    const config = `${home}/hearsay.jsonc`;
    // Logs here push as fast as they can.
    const more = '"mldsaKey": "mldsa.key", "perSecondPerLog": 100000, "perSecond": 100000,';
    const text = Deno.readTextFileSync(config)
      .replace('"key": "witness.key",', `"key": "witness.key", ${more}`);
    put(home, "hearsay.jsonc", text);
    const witness = new OurWitness(home, port, [made.out[1]!, second.out[0]!]);
    await witness.start();
    return witness;
  }

  async start(): Promise<void> {
    this.#running = start(["run", "--config", `${this.folder}/hearsay.jsonc`]);
    await this.#running.line(/ witness\.serving /);
  }

  async stop(): Promise<void> {
    this.#running?.stop();
    const ended = await this.#running?.done;
    this.#running = undefined;
    assertEquals(ended?.code ?? 0, 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

function policyOf(
  { log, vkeys, url = "" }: { log: string; vkeys: readonly string[]; url?: string },
): string {
  const names = vkeys.map((_, i) => `w${i}`);
  return [
    `log ${log}`,
    ...vkeys.map((vkey, i) => `witness w${i} ${vkey} ${url}`.trimEnd()),
    `group everybody all ${names.join(" ")}`,
    "quorum everybody",
    "",
  ].join("\n");
}

/** The request for a subtree's cosignature, and the subtree. */
function subtreeOf(
  { start, end, size, note }: { start: number; end: number; size: number; note: string },
) {
  const leaves = Array.from({ length: size }, (_, i) => leafHash(utf8(`0/${i}`)));
  assert(PARTING > 0);
  const hash = naiveRoot(leaves.slice(start, end));
  const proof = naiveSubtreeProof({ start, end, leaves });
  const lines = [`subtree ${start} ${end}`, ...[hash, ...proof].map(base64)];
  return { body: utf8(`${lines.join("\n")}\n\n${note}`), hash };
}

interopTestOfAll(
  TESSERA,
  "tessera: a POSIX log publishes only with our cosignature, while others push; fsck passes it",
  async ({ oneshot, fsck }, folder) => {
    const { signer, privateKey } = await generateSigner({
      world: denoWorld(),
      name: "tessera.invalid",
    });
    const log = signer.vkey.text;
    const others = await Promise.all([0, 1, 2].map((i) => PushingLog.named(`other.invalid/${i}`)));
    await using witness = await OurWitness.make(
      folder,
      [log, ...others.map(({ log }) => log.vkey.text)],
    );
    const [key, vkey, policy] = [
      put(folder, "log.key", privateKey.trimEnd()),
      put(folder, "log.vkey", log),
      put(folder, "policy", policyOf({ log, vkeys: [witness.vkeys[0]!], url: witness.url })),
    ];
    const storage = `${folder}/log`;
    const [BATCHES, BATCH] = [6, 300];
    const append = async (batch: number, seconds = 30) => {
      const entries = `${folder}/entries${batch}`;
      Deno.mkdirSync(entries);
      for (let i = 0; i < BATCH; i++) put(entries, `${i}`, `entry ${batch}/${i}`);
      return await runFor(
        ...[seconds, oneshot, "--storage_dir", storage, "--private_key", key] as const,
        ...["--witness_policy_file", policy, "--witness_timeout", "2s"],
        ...["--entries", `${entries}/*`],
      );
    };
    const published = () => Deno.readTextFileSync(`${storage}/checkpoint`);
    const isCommitted = async () => {
      const { code, out } = await run("check", `${storage}/checkpoint`, "--policy", policy);
      assertEquals(code, 0, out.join("\n"));
    };

    let isOver = false;
    const load = Promise.all(others.map(async (other) => {
      let size = 0n;
      for (; !isOver; size++) {
        const body = await other.request({ old: size, size: size + 1n });
        assertEquals((await post(`${witness.url}/add-checkpoint`, body)).status, 200);
      }
      return Number(size);
    }));
    for (let batch = 1; batch <= BATCHES; batch++) {
      const { code, err } = await append(batch);
      assertEquals(code, 0, err);
      assertEquals(published().split("\n")[1], `${batch * BATCH}`);
      await isCommitted();
    }
    isOver = true;
    const pushed = await load;
    assert(pushed.every((count) => count > 50), `others pushed ${pushed}`);

    // Without the witness nothing new is published.
    await witness.stop();
    const before = published();
    assert((await append(BATCHES + 1, 8)).code !== 0, "it waits for a cosignature in vain");
    assertEquals(published(), before);
    await witness.start();
    const { code, err } = await append(BATCHES + 2);
    assertEquals(code, 0, err);
    assertEquals(published().split("\n")[1], `${(BATCHES + 2) * BATCH}`);
    await isCommitted();

    const checked = await runFor(
      ...[
        60,
        fsck,
        "--ui=false",
        "--public_key",
        vkey,
        "--storage_url",
        `file://${storage}/`,
      ] as const,
    );
    assertEquals(checked.code, 0, checked.err);
  },
);

interopTest(
  VERIFIERS,
  "formats, torchwood: they accept our cosignatures, 0x04 and 0x06, and those on subtrees",
  async (verifiers, folder) => {
    const log = await PushingLog.named("log.invalid/one");
    await using witness = await OurWitness.make(folder, [log.log.vkey.text]);
    const size = 14;
    const body = await log.request({ old: 0n, size: BigInt(size) });
    assertEquals((await post(`${witness.url}/add-checkpoint`, body)).status, 200);
    const latest = await fetch(`${witness.url}/${originHash(log.log.origin)}/checkpoint`);
    const note = await latest.text();
    const path = put(folder, "note", note);
    for (const vkey of witness.vkeys) {
      const { code, out, err } = await runFor(30, verifiers, "note", vkey, path);
      assertEquals([code, out], [0, "formats\ntorchwood\n"], err);
      const wrong = put(folder, "wrong", note.replace("\n14\n", "\n15\n"));
      assertEquals((await runFor(30, verifiers, "note", vkey, wrong)).code, 1);
    }
    for (const [start, end] of [[8, 13], [0, 14], [13, 14], [0, 8], [4, 7]] as const) {
      const { body, hash } = subtreeOf({ start, end, size, note });
      const { status, text } = await post(`${witness.url}/sign-subtree`, body);
      assertEquals(status, 200, text);
      const given = [log.log.origin, `${start}`, `${end}`, base64(hash)];
      const line = text.trimEnd();
      const held = await runFor(30, verifiers, "subtree", witness.vkeys[1]!, ...given, line);
      assertEquals([held.code, held.out], [0, "formats\ntorchwood\n"], held.err);
      const other = given.with(0, "log.invalid/two");
      const failed = await runFor(30, verifiers, "subtree", witness.vkeys[1]!, ...other, line);
      assertEquals(failed.code, 1);
    }
  },
);

interopTest(
  VERIFIERS,
  "formats, torchwood: we accept the subtrees that they cosign with a key of our keygen",
  async (signers, folder) => {
    const path = `${folder}/key`;
    const { out: [text] } = await run("keygen", "--witness", "w.invalid", "--mldsa", "--out", path);
    const vkey = parseVkey(text!);
    const hash = leafHash(utf8("a subtree"));
    const subtree = { origin: "log.invalid/one", start: 8n, end: 13n, hash };
    const given = [subtree.origin, "8", "13", base64(hash)];
    const key = Deno.readTextFileSync(path).trimEnd();
    const { code, out, err } = await runFor(30, signers, "sign", key, ...given);
    assertEquals(code, 0, err);
    const lines = out.trimEnd().split("\n");
    assertEquals(lines.length, 2);
    for (const line of lines) {
      const { signature } = readSignatureLine(line)!;
      assert(verifySubtreeCosignature({ vkey, subtree, signature }));
      // The other form that occurs, without the time (C2SP issue 345).
      assert(verifySubtreeCosignature({ vkey, subtree, signature: signature.slice(8) }));
      assert(!verifySubtreeCosignature({ vkey, subtree: { ...subtree, end: 12n }, signature }));
    }
  },
);

/** Has a witness cosign checkpoints of a log that grows. @returns the last note, cosigned */
async function cosignedBy(
  { url, vkeys }: RunningWitness,
  { log, folder }: { log: PushingLog; folder: string },
): Promise<string> {
  let cosigned = "";
  for (const [old, size] of [[0n, 5n], [5n, 9n], [9n, 14n]] as const) {
    const body = await log.request({ old, size });
    const { status, text } = await post(`${url}/add-checkpoint`, body);
    assertEquals(status, 200, text);
    cosigned = await log.note({ size }) + text;
    const note = put(folder, "note", cosigned);
    const policy = put(folder, "policy", policyOf({ log: log.log.vkey.text, vkeys }));
    const { code, out } = await run("check", note, "--policy", policy);
    assertEquals(code, 0, out.join("\n"));
    put(folder, "bare", await log.note({ size }));
    assertEquals((await run("check", `${folder}/bare`, "--policy", policy)).code, 3);
  }
  return cosigned;
}

interopTest(
  OMNIWITNESS,
  "omniwitness: it runs with keys of our keygen, and we accept what it cosigns, 0x04 and 0x06",
  async (program, folder) => {
    const log = await PushingLog.named("log.invalid/one");
    await using witness = await startOmniwitness({ program, folder, logs: [log.log] });
    const note = await cosignedBy(witness, { log, folder });
    assertEquals(note.split("— omniwitness.invalid ").length - 1, 2);
  },
);

interopTestOfAll(
  LITEWITNESS,
  "litewitness: we accept what it cosigns",
  async (programs, folder) => {
    const log = await PushingLog.named("log.invalid/one");
    await using witness = await startLitewitness({ programs, folder, logs: [log.log] });
    assertMatch(witness.vkeys[0]!, /^litewitness\.invalid\+[0-9a-f]{8}\+B/);
    const note = await cosignedBy(witness, { log, folder });
    assertStringIncludes(note, "— litewitness.invalid ");
  },
);
