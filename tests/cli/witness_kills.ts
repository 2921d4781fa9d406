/**
 * `kill -9` of a witness under load: every cosignature that left is one that it remembers, and it
 * never cosigns two roots at one size.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { originHash } from "../../src/authority/witness_state.ts";
import { base64 } from "../../src/tlog/encoding.ts";
import { PARTING, PushingLog } from "../authority/pushing_log.ts";
import { run } from "./harness.ts";

/** Logs that are pushed in every life. */
const LOGS = 4;
/** How long it works before each kill, in milliseconds; another time each round. */
const WORKS_MS = [20, 60, 110, 170];

/** A witness in a process of its own. */
async function started(config: string): Promise<{ child: Deno.ChildProcess; url: string }> {
  const permissions = ["--allow-net=127.0.0.1", "--allow-read", "--allow-write"];
  const child = new Deno.Command("deno", {
    args: [
      "run",
      "--no-check",
      "--no-prompt",
      ...permissions,
      "main.ts",
      "run",
      "--config",
      config,
    ],
    ...{ stdout: "piped", stderr: "null", stdin: "null" },
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    assert(!done, `it ended: ${text}`);
    text += value;
    const address = / witness\.serving address=(\S+) /.exec(text)?.[1];
    if (address !== undefined) {
      await reader.cancel();
      return { child, url: `http://${address}` };
    }
  }
}

/** A log, and what the witness has told of it. */
class Pushed {
  readonly log: PushingLog;
  /** The roots that were cosigned of each size, in base64. */
  readonly #roots = new Map<bigint, Set<string>>();
  /** The largest size that was cosigned. */
  most = 0n;

  constructor(log: PushingLog) {
    this.log = log;
  }

  /** Pushes one of its histories until the witness is gone, or has cosigned another one. */
  async push(url: string, history: number): Promise<void> {
    try {
      for (let old = this.most;;) {
        const size = old + 1n;
        const status = await this.#ask(url, { old, size, history });
        if (status === 422 || status === 503) return;
        old = typeof status === "bigint" ? status : size;
      }
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
    }
  }

  /** Looks whether the witness remembers, and cosigns no other root at that size. */
  async check(url: string): Promise<void> {
    const response = await fetch(`${url}/${originHash(this.log.log.origin)}/checkpoint`);
    const [, known = "0", root] = (await response.text()).split("\n");
    if (response.status === 404) return assertEquals(this.most, 0n, "it knows nothing");
    const size = BigInt(known);
    assert(size >= this.most, `size ${this.most} was cosigned, and it knows ${size}`);
    this.#cosigned(size, root!);
    for (const history of [0, 1]) await this.#ask(url, { old: size, size, history });
  }

  /** @returns 200, 422, 503 if the log is frozen because both histories were pushed, or the size of a 409 */
  async #ask(
    url: string,
    push: { old: bigint; size: bigint; history: number },
  ): Promise<200 | 422 | 503 | bigint> {
    const body = await this.log.request(push);
    const response = await fetch(`${url}/add-checkpoint`, { method: "POST", body });
    if (response.status === 200) this.#cosigned(push.size, this.#root(push));
    const text = await response.text();
    if ([200, 422, 503].includes(response.status)) return response.status as 200 | 422 | 503;
    assertEquals(response.status, 409, text);
    const size = BigInt(text.trim());
    assert(size >= this.most || size >= push.old, `it goes back to size ${size}`);
    return size;
  }

  #root({ size, history }: { size: bigint; history: number }): string {
    return base64(this.log.tree(history, size).root(size));
  }

  #cosigned(size: bigint, root: string): void {
    if (size > this.most) this.most = size;
    this.#roots.set(size, (this.#roots.get(size) ?? new Set()).add(root));
    const isOne = [0, 1].some((history) =>
      [...this.#roots].every(([size, roots]) =>
        roots.size === 1 && roots.has(this.#root({ size, history }))
      )
    );
    assert(isOne, `size ${size}: two histories were cosigned`);
  }
}

/**
 * Kills a witness so many times. In each life some logs grow by one all the time, and one more log,
 * which is new, pushes two histories at once.
 * @returns how many logs were cosigned beyond the size at which their histories part
 */
export async function killOften(folder: string, kills: number): Promise<number> {
  const named = (name: string) => PushingLog.named(`log.invalid/${name}`);
  const steady = await Promise.all([...Array(LOGS).keys()].map((i) => named(`${i}`)));
  const splitting = await Promise.all([...Array(kills).keys()].map((i) => named(`two-${i}`)));
  const config = await configure(folder, [...steady, ...splitting]);
  const growing = steady.map((log) => new Pushed(log));
  const parted = splitting.map((log) => new Pushed(log));
  for (let life = 0; life <= kills; life++) {
    const { child, url } = await started(config);
    let pushing: Promise<PromiseSettledResult<void>[]> | undefined;
    try {
      for (const log of [...growing, ...parted.slice(0, life)]) await log.check(url);
      const now = parted[life];
      pushing = Promise.allSettled([
        ...growing.map((log) => log.push(url, 0)),
        ...(now === undefined ? [] : [now.push(url, 0), now.push(url, 1)]),
      ]);
      await new Promise((resolve) => setTimeout(resolve, WORKS_MS[life % WORKS_MS.length]));
    } finally {
      child.kill("SIGKILL");
      await child.status;
    }
    for (const pushed of await pushing) if (pushed.status === "rejected") throw pushed.reason;
  }
  assert(growing.every(({ most }) => most > 0n), "something was cosigned");
  return parted.filter(({ most }) => most > PARTING).length;
}

async function configure(folder: string, logs: readonly PushingLog[]): Promise<string> {
  const made = await run(
    ...["init", "--dir", folder, "--name", "monitor.invalid/ber", "--http", "127.0.0.1:0"],
    ...logs.flatMap(({ log }) => ["--log", log.vkey.text]),
    ...["--witness", "witness.invalid/ber", "--witness-http", "127.0.0.1:0"],
  );
  assertEquals(made.code, 0, made.err.join("\n"));
  const config = `${folder}/hearsay.jsonc`;
  const rates = '"http": "127.0.0.1:0", "perSecondPerLog": 100000, "perSecond": 100000';
  const text = Deno.readTextFileSync(config);
  const at = text.lastIndexOf('"http"');
  const changed = text.slice(at).replace(/"http": "[^"]*"/, rates);
  Deno.writeTextFileSync(config, text.slice(0, at) + changed);
  return config;
}

if (import.meta.main) {
  const kills = Number(Deno.args[0] ?? 100);
  const folder = Deno.makeTempDirSync({ prefix: "hearsay-kill-" });
  const beyond = await killOften(folder, kills);
  Deno.removeSync(folder, { recursive: true });
  console.log(
    `killed ${kills} times: every cosignature that left is remembered, and none is of two`,
  );
  console.log(`${beyond} logs were cosigned beyond the size at which their two histories part`);
}
