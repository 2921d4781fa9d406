/** A monitor that publishes its journal, with the commands an operator has. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { parseProvenHead, parseStatus } from "../../src/federation/wire.ts";
import { verifyConsistency } from "../../src/tlog/proof.ts";
import { parseVkey } from "../../src/tlog/vkey.ts";
import { PushingLog } from "../authority/pushing_log.ts";
import { readLog } from "../federation/reading.ts";
import { inFolder, run, type Running, start } from "./harness.ts";
import { edit, makeMonitor } from "./monitors.ts";

const NAME = "monitor.invalid/ada";
const ORIGIN = `${NAME}/incidents`;

/** A monitor that publishes its journal, and is a witness: what it refuses becomes a case. */
async function make(folder: string, log: PushingLog): Promise<{ config: string; vkey: string }> {
  const made = await run(
    ...["init", "--dir", folder, "--name", NAME, "--http", "127.0.0.1:0"],
    ...["--log", log.log.vkey.text, "--witness", "witness.invalid/ada"],
    ...["--witness-http", "127.0.0.1:0", "--federation", "127.0.0.1:0"],
  );
  assertEquals(made.code, 0, made.err.join("\n"));
  return { config: `${folder}/hearsay.jsonc`, vkey: made.out[0]! };
}

/** The size at which the log of these tests signs many roots, and how many it has signed so far. */
const SIZE = 5n;
let histories = 0;

/** A running one, and where it is found. */
class Publishing {
  private constructor(
    readonly running: Running,
    readonly url: string,
    readonly witness: string,
    readonly status: string,
    readonly log: PushingLog,
    readonly folder: string,
  ) {}

  static async start(config: string, log: PushingLog): Promise<Publishing> {
    const running = start(["run", "--config", config]);
    const at = async (pattern: RegExp): Promise<string> =>
      /address=(\S+)/.exec(await running.line(pattern))![1]!;
    const [url, witness, status] = await Promise.all([
      ...[at(/ federation\.serving /), at(/ witness\.serving /), at(/ status\.serving /)],
    ]);
    return new Publishing(
      running,
      `http://${url}`,
      `http://${witness}`,
      status!,
      log,
      config.slice(0, config.lastIndexOf("/")),
    );
  }

  /**
   * Has the log sign two further roots at one size: two cases.
   * @returns how many entries the journal has then, all of them published
   */
  async convict(): Promise<number> {
    const push = async (history: number): Promise<number> => {
      const body = await this.log.request({ old: SIZE, size: SIZE, history, proof: [] });
      const response = await fetch(`${this.witness}/add-checkpoint`, { method: "POST", body });
      await response.body?.cancel();
      return response.status;
    };
    await this.#cosigned();
    for (let i = 0; i < 2; i++) assertEquals(await push(++histories), 422);
    return await this.#published();
  }

  async #cosigned(): Promise<void> {
    const body = await this.log.request({ old: 0n, size: SIZE });
    const response = await fetch(`${this.witness}/add-checkpoint`, { method: "POST", body });
    await response.body?.cancel();
    // Once it has a case, the log is frozen, and nothing of it is cosigned any more.
    assert([200, 409, 503].includes(response.status), `${response.status}`);
  }

  async get(path: string): Promise<Uint8Array | undefined> {
    const response = await fetch(`${this.url}/${path}`);
    const body = new Uint8Array(await response.arrayBuffer());
    return response.status === 200 ? body : undefined;
  }

  async head() {
    return parseStatus((await this.get("status"))!);
  }

  /** Waits until all entries of the journal are published: the cases, and the steps that follow. */
  async #published(): Promise<number> {
    for (let before = -1;;) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      const size = journalOf(this.folder).filter((byte) => byte === 10).length;
      if (size === before && (await this.head()).treeSize === BigInt(size)) return size;
      before = size;
    }
  }

  async stop(): Promise<number> {
    this.running.stop();
    return (await this.running.done).code;
  }
}

/** Waits until the files have so many entries: the head is given out a moment before them. */
async function filed(folder: string, size: number): Promise<void> {
  const path = `${folder}/state/incidents-log/checkpoint`;
  while (Deno.readTextFileSync(path).split("\n")[1] !== `${size}`) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function journalOf(folder: string): Uint8Array {
  return Deno.readFileSync(`${folder}/incidents/journal.jsonl`);
}

inFolder(
  "federation: init, run, cases; the journal is published, and after a restart too",
  async (folder) => {
    const log = await PushingLog.named("log.invalid/pushes");
    const { config, vkey } = await make(folder, log);
    const first = await Publishing.start(config, log);
    const empty = await first.head();
    assertEquals([empty.origin, empty.treeSize], [ORIGIN, 0n]);
    const entries = await first.convict();
    const head = await first.head();
    assertEquals(await first.get("records?start=0&count=100"), journalOf(folder));
    const { leaves, origin } = await readLog((path) => first.get(path));
    assertEquals([leaves.length, origin], [entries, ORIGIN]);
    await filed(folder, entries);
    const fromFiles = await readLog((path) =>
      Deno.readFile(`${folder}/state/incidents-log/${path}`)
    );
    assertEquals(fromFiles.leaves, leaves);
    const said = await run("status", first.status);
    const wanted = `journal published as ${ORIGIN}: size ${entries}, at ${first.url}/`;
    assertStringIncludes(said.out.join("\n"), wanted);
    assertEquals(await first.stop(), 1);

    const second = await Publishing.start(config, log);
    assertEquals(await second.head(), head, "the same note");
    assert(await second.convict() > entries);
    const proven = parseProvenHead(
      (await second.get(`consistency-proof?old_size=${entries}`))!,
    );
    const newer = await second.head();
    assertEquals(newer.checkpoint, proven.checkpoint);
    assert(verifyConsistency({ older: head, newer, proof: proven.proof }));
    assertMatch(newer.checkpoint, new RegExp(`— ${parseVkey(vkey).name} `));
    assertEquals(await second.stop(), 1);
  },
);

inFolder(
  "federation: a monitor follows the published journal as a log, with nothing to remark",
  async (folder) => {
    const log = await PushingLog.named("log.invalid/pushes");
    const { config, vkey } = await make(`${folder}/ada`, log);
    const ada = await Publishing.start(config, log);
    const followers: Running[] = [];
    for (const [i, source] of [`${ada.url}/`, `${folder}/ada/state/incidents-log`].entries()) {
      const follower = await makeMonitor(`${folder}/${i}`, { log: `${vkey} ${ORIGIN}`, source });
      followers.push(start(["run", "--config", follower, "--verbose"]));
    }
    await Promise.all(followers.map((one) => one.line(/ log\.first .*size=0$/)));
    for (let time = 0; time < 3; time++) {
      const size = await ada.convict();
      const grown = new RegExp(` log\\.extends .*size=${size}( |$)`);
      await Promise.all(followers.map((one) => one.line(grown)));
    }
    for (const one of followers) {
      one.stop();
      const { code, out, err } = await one.done;
      assertEquals(code, 0, out.concat(err).join("\n"));
      const bad = out.concat(err).filter((line) =>
        / (warning|error) /.test(line) && !/ config\.trap /.test(line)
      );
      assertEquals(bad, []);
    }
    await ada.stop();
  },
);

inFolder(
  "federation: after a repair the journal is another log, and that is told",
  async (folder) => {
    const log = await PushingLog.named("log.invalid/pushes");
    const { config } = await make(folder, log);
    const first = await Publishing.start(config, log);
    const entries = await first.convict();
    await first.stop();
    const path = `${folder}/incidents/journal.jsonl`;
    Deno.writeTextFileSync(
      path,
      Deno.readTextFileSync(path).replace('"recorded_at":"2', '"recorded_at":"3'),
    );
    const repaired = await run("journal", "repair", `${folder}/incidents`, "--config", config);
    assertEquals(repaired.code, 0, repaired.err.join("\n"));
    const second = await Publishing.start(config, log);
    const told = await second.running.line(/ error journal\.epoch /);
    assertStringIncludes(told, `does not lead to the head of size ${entries}`);
    const head = await second.head();
    assertMatch(head.origin, new RegExp(`^${ORIGIN}/\\d{10}$`));
    assertStringIncludes(told, head.origin);
    await readLog((file) => second.get(file));
    const status = (await run("status", second.status)).out.join("\n");
    assertStringIncludes(status, `the journal is published as another log, ${head.origin}`);
    await second.stop();
    // It goes on in that epoch, and says nothing more.
    const third = await Publishing.start(config, log);
    assertEquals((await third.head()).checkpoint, head.checkpoint);
    assertEquals(third.running.out.filter((line) => / journal\.epoch /.test(line)), []);
    await third.stop();
  },
);

inFolder(
  "federation: a reload moves it to another address; a faulty one is refused",
  async (folder) => {
    const log = await PushingLog.named("log.invalid/pushes");
    const { config } = await make(folder, log);
    const { running, url, ...at } = await Publishing.start(config, log);
    const sound = Deno.readTextFileSync(config);
    edit(config, '"mirrors": []', '"mirrors": [], "admit": "nobody"');
    running.reload();
    const refused = await running.line(/ config\.refused /);
    assertStringIncludes(refused, 'admit is "nobody", expected "members" or "anyone"');
    assertEquals(
      (await fetch(`${url}/checkpoint`).then((one) => one.text())).split("\n")[0],
      ORIGIN,
    );
    Deno.writeTextFileSync(config, sound.replace('"mirrors": []', '"mirrors": [], "perSecond": 7'));
    const again = running.line(/ federation\.serving /);
    running.reload();
    const moved = /address=(\S+)/.exec(await again)![1]!;
    const answer = await fetch(`http://${moved}/checkpoint`);
    assertEquals((await answer.text()).split("\n")[0], ORIGIN);
    running.stop();
    await running.done;
    assert(at.status !== undefined);
  },
);

inFolder(
  "federation: without an address the journal is published in files alone",
  async (folder) => {
    const log = await PushingLog.named("log.invalid/pushes");
    const { config } = await make(folder, log);
    edit(config, '"http": "127.0.0.1:0", "mirrors"', '"mirrors"');
    const running = start(["run", "--config", config]);
    const served = /address=(\S+)/.exec(await running.line(/ status\.serving /))![1]!;
    const said = (await run("status", served)).out.join("\n");
    assertStringIncludes(said, `journal published as ${ORIGIN}: size 0, in files alone`);
    const { size } = await readLog((path) =>
      Deno.readFile(`${folder}/state/incidents-log/${path}`)
    );
    assertEquals(size, 0);
    running.stop();
    await running.done;
  },
);

inFolder("federation: a taken address ends the start, and says which", async (folder) => {
  const log = await PushingLog.named("log.invalid/pushes");
  const { config } = await make(folder, log);
  const taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = taken.addr as Deno.NetAddr;
  edit(config, '"http": "127.0.0.1:0", "mirrors"', `"http": "127.0.0.1:${port}", "mirrors"`);
  const { code, err } = await run("run", "--config", config);
  assertEquals(code, 3);
  assertStringIncludes(err.join("\n"), `cannot publish the journal at 127.0.0.1:${port}`);
  const checked = await run("config", "check", config);
  assertStringIncludes(
    checked.out.join("\n"),
    `! the journal cannot be published at 127.0.0.1:${port}`,
  );
  taken.close();
  const freed = await run("config", "check", config);
  assertStringIncludes(
    freed.out.join("\n"),
    `✓ the journal would be published at 127.0.0.1:${port}`,
  );
});

inFolder("config check: a journal that would be mirrored is asked for its head", async (folder) => {
  const log = await PushingLog.named("log.invalid/pushes");
  const { config } = await make(`${folder}/one`, log);
  const other = await make(`${folder}/two`, log);
  const there = await Publishing.start(other.config, log);
  const check = async (vkey: string): Promise<{ text: string; fault?: string }> => {
    edit(config, /"mirrors": \[.*?\]/, `"mirrors": [{ "vkey": "${vkey}", "url": "${there.url}" }]`);
    const { out } = await run("config", "check", config, "--json");
    const { checks } = JSON.parse(out.join("\n"));
    return checks.find(({ text }: { text: string }) => text.includes("would be mirrored"));
  };
  const named = await run("keygen", "monitor.invalid/ber", "--out", `${folder}/ber.key`);
  const ber = named.out.find((line) => line.startsWith("monitor.invalid/ber+"))!;
  const well = await check(other.vkey);
  assertMatch(well.text, / would be mirrored from .*: size 0, signed with its key$/);
  assertEquals(well.fault, undefined);
  const ofAnother = await check(ber);
  assertMatch(ofAnother.text, /, but what is there is no head that it has signed: /);
  assertEquals(ofAnother.fault, "undone");
  await there.stop();
  const gone = await check(other.vkey);
  assertMatch(gone.text, /, but it cannot be had: .*refused/);
  assertEquals(gone.fault, "undone");
});

inFolder(
  "config check: where the journal would be published, and what would be mirrored",
  async (folder) => {
    const log = await PushingLog.named("log.invalid/pushes");
    const { config, vkey } = await make(folder, log);
    const other = await run("keygen", "monitor.invalid/ber", "--out", `${folder}/ber.key`);
    const ber = other.out.find((line) => line.startsWith("monitor.invalid/ber+"))!;
    const mirror = `{ "vkey": "${ber}", "url": "https://ber.invalid/hearsay" }`;
    edit(config, '"mirrors": []', `"mirrors": [${mirror}], "admit": "anyone"`);
    const { out } = await run("config", "check", config, "--offline");
    const said = out.join("\n");
    assertStringIncludes(
      said,
      "✓ the journal would be published at 127.0.0.1:0; that was not tried",
    );
    assertStringIncludes(
      said,
      "✓ the journal of monitor.invalid/ber would be mirrored from https://ber.invalid/hearsay/",
    );
    assertStringIncludes(said, "✓ anyone may push its journal here");
    edit(config, ber, vkey);
    const own = (await run("config", "check", config, "--offline")).out.join("\n");
    assertStringIncludes(own, "it would mirror its own journal");
  },
);
