/** `kill -9` of a witness under load: every cosignature that left is one that it remembers. */
import { assert, assertEquals } from "@std/assert";
import { originHash } from "../../src/authority/witness_state.ts";
import { base64 } from "../../src/tlog/encoding.ts";
import { PushingLog } from "../authority/pushing_log.ts";
import { inFolder, run } from "./harness.ts";

/** How often it is killed. A hundred times were run once (ARCHITECTURE, "Decisions"). */
const KILLS = 4;
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

/** What one log was told: the largest size that was cosigned. */
class Pusher {
  cosigned = 0n;

  constructor(readonly log: PushingLog) {}

  /** Pushes until the witness is gone. */
  async push(url: string): Promise<void> {
    try {
      for (let old = this.cosigned;;) {
        const body = await this.log.request({ old, size: old + 1n });
        const response = await fetch(`${url}/add-checkpoint`, { method: "POST", body });
        const text = await response.text();
        if (response.status === 200) this.cosigned = old + 1n;
        else assertEquals(response.status, 409, text);
        old = response.status === 409 ? BigInt(text.trim()) : old + 1n;
        assert(old >= this.cosigned, `size ${this.cosigned} was cosigned, and it knows ${old}`);
      }
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
    }
  }

  /** Looks whether the witness remembers, and would not cosign another root. */
  async check(url: string): Promise<void> {
    const response = await fetch(`${url}/${originHash(this.log.log.origin)}/checkpoint`);
    const [, size = "0", root] = (await response.text()).split("\n");
    if (response.status === 404) return assertEquals(this.cosigned, 0n);
    assert(BigInt(size) >= this.cosigned, `size ${this.cosigned} was cosigned, it knows ${size}`);
    assertEquals(root, base64(this.log.tree(0, BigInt(size)).root(BigInt(size))));
  }
}

inFolder("witness: killed under load, it remembers every cosignature that left", async (folder) => {
  const logs = await Promise.all(
    [...Array(LOGS).keys()].map((i) => PushingLog.named(`log.invalid/${i}`)),
  );
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
  Deno.writeTextFileSync(
    config,
    text.slice(0, at) + text.slice(at).replace(/"http": "[^"]*"/, rates),
  );
  const pushers = logs.map((log) => new Pusher(log));
  for (let i = 0; i <= KILLS; i++) {
    const { child, url } = await started(config);
    for (const pusher of pushers) await pusher.check(url);
    const pushing = Promise.all(pushers.map((pusher) => pusher.push(url)));
    await new Promise((resolve) => setTimeout(resolve, WORKS_MS[i % WORKS_MS.length]));
    child.kill("SIGKILL");
    await child.status;
    await pushing;
  }
  assert(pushers.every(({ cosigned }) => cosigned > 0n), "something was cosigned");
});
