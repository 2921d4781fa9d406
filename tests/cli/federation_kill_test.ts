/** `kill -9` of a monitor that records cases: no size of its journal ever has two signed roots. */
import { assert, assertEquals } from "@std/assert";
import { parseVkey, type Vkey } from "../../src/tlog/vkey.ts";
import { openCheckpoint } from "../../src/tlog/checkpoint.ts";
import { makeLog } from "../../src/tlog/log.ts";
import { PushingLog } from "../authority/pushing_log.ts";
import { merkleTreeHash, readLog, sha256 } from "../federation/reading.ts";
import { inFolder, run } from "./harness.ts";

const KILLS = 4;
/** How long it works before each kill, in milliseconds; another time each round. */
const WORKS_MS = [40, 90, 140, 230];
const NAME = "monitor.invalid/ada";
const SIZE = 5n;

interface Started {
  readonly child: Deno.ChildProcess;
  readonly witness: string;
  readonly journal: string;
}

/** A monitor in a process of its own. */
async function started(config: string): Promise<Started> {
  const permissions = ["--allow-net=127.0.0.1", "--allow-read", "--allow-write"];
  const child = new Deno.Command("deno", {
    args: [
      ...["run", "--no-check", "--no-prompt", ...permissions],
      ...["main.ts", "run", "--config", config],
    ],
    ...{ stdout: "piped", stderr: "null", stdin: "null" },
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    assert(!done, `it ended: ${text}`);
    text += value;
    assert(!/ journal\.epoch /.test(text), text);
    const at = (name: string): string | undefined =>
      new RegExp(` ${name}\\.serving address=(\\S+) `).exec(text)?.[1];
    const [witness, journal] = [at("witness"), at("federation")];
    if (witness !== undefined && journal !== undefined) {
      await reader.cancel();
      return { child, witness: `http://${witness}`, journal: `http://${journal}` };
    }
  }
}

/** What is asked until the monitor is gone. */
async function untilGone(work: () => Promise<void>): Promise<void> {
  try {
    for (;;) await work();
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
  }
}

/** The heads that left: by origin and size, the root. */
class Heads {
  readonly roots = new Map<string, string>();
  largest = 0n;
  readonly #vkey: Vkey;

  constructor(vkey: string) {
    this.#vkey = parseVkey(vkey);
  }

  take(note: string): void {
    const [origin] = note.split("\n");
    const opened = openCheckpoint({ note, logs: [makeLog({ vkey: this.#vkey, origin: origin! })] });
    assert(!("refused" in opened), note);
    const { treeSize, root } = opened[0]!;
    const head = `${origin} ${treeSize}`;
    assertEquals(this.roots.get(head) ?? root, root, head);
    this.roots.set(head, root);
    if (treeSize > this.largest) this.largest = treeSize;
  }
}

inFolder(
  "federation: killed while it records, it signs no two roots at one size",
  async (folder) => {
    // A log has so many cases at one size, and is frozen by its first: each life has one of its own.
    const logs = await Promise.all(
      Array.from({ length: KILLS + 1 }, (_, i) => PushingLog.named(`log.invalid/pushes-${i}`)),
    );
    const made = await run(
      ...["init", "--dir", folder, "--name", NAME, "--http", "127.0.0.1:0"],
      ...logs.flatMap(({ log }) => ["--log", log.vkey.text]),
      ...["--witness", "witness.invalid/ada"],
      ...["--witness-http", "127.0.0.1:0", "--federation", "127.0.0.1:0"],
    );
    assertEquals(made.code, 0, made.err.join("\n"));
    const heads = new Heads(made.out[0]!);
    let history = 0;
    for (let i = 0; i <= KILLS; i++) {
      const { child, witness, journal } = await started(`${folder}/hearsay.jsonc`);
      const push = async (history: number, old = SIZE): Promise<void> => {
        const body = await logs[i]!.request({ old, size: SIZE, history, proof: [] });
        const response = await fetch(`${witness}/add-checkpoint`, { method: "POST", body });
        await response.body?.cancel();
      };
      const read = async (): Promise<void> => {
        const response = await fetch(`${journal}/checkpoint`);
        const text = await response.text();
        if (response.status === 200) heads.take(text);
      };
      await read();
      await push(0, 0n);
      const before = heads.largest;
      const working = Promise.all([untilGone(() => push(++history)), untilGone(read)]);
      await new Promise((resolve) => setTimeout(resolve, WORKS_MS[i % WORKS_MS.length]));
      while (heads.largest === before) await new Promise((resolve) => setTimeout(resolve, 5));
      child.kill("SIGKILL");
      await child.status;
      await working;
    }
    assert(heads.largest >= BigInt(KILLS), `${heads.largest} entries`);
    const { child } = await started(`${folder}/hearsay.jsonc`);
    const { leaves } = await readLog((path) =>
      Deno.readFile(`${folder}/state/incidents-log/${path}`)
    );
    child.kill("SIGTERM");
    await child.status;
    const hashes = leaves.map((leaf) => sha256(Uint8Array.of(0), leaf));
    for (const [head, root] of heads.roots) {
      const [origin, size] = head.split(" ");
      assertEquals(origin, `${NAME}/incidents`);
      const computed = new Uint8Array(merkleTreeHash(hashes.slice(0, Number(size))));
      assertEquals(computed.toBase64(), root, head);
    }
  },
);
