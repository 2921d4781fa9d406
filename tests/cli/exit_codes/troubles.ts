/** Every kind of trouble among OPERATING's exit codes, and how it is brought about. */
import { base64 } from "../../../src/tlog/encoding.ts";
import type { TestLog } from "../../../src/sources/test_log.ts";
import { noteLine, put, run } from "../harness.ts";
import { edit, grow, makeLog, makeMonitor } from "../monitors.ts";
import { faulty, fullOutput, refusing } from "./broken_world.ts";
import { FILE_TROUBLES } from "./files.ts";
import {
  CONFIGURED,
  configured,
  each,
  everyCommand,
  everyWorking,
  GOSSIPS,
  gossips,
  ORDERS,
  records,
  runs,
  type Trouble,
  words,
} from "./groups.ts";
import { SEALING_TROUBLES } from "./sealing.ts";
import { JOURNAL_TROUBLES, spoilRecord } from "./spoiled.ts";
import {
  addressOf,
  daemonOf,
  deceived,
  freezing,
  gathered,
  listening,
  MEMBER,
  monitor,
  NOBODY,
  PERSON,
  SAMPLE,
  type Stage,
  startedDaemon,
  type Way,
  withMember,
} from "./stage.ts";
import { STORE_TROUBLES } from "./sharing.ts";
import { WEIGHING_TROUBLES, weighsTwoStories } from "./weighing.ts";
import { alerting, WELL } from "./well.ts";

/** A daemon that tells its status, with a configuration that says where. */
async function told(stage: Stage, ...more: readonly string[]): Promise<string> {
  const { config } = await monitor(stage, ...more);
  const address = await daemonOf(stage, config);
  edit(config, '"http": "127.0.0.1:0"', `"http": "${address}"`);
  return config;
}

/** An HTTP server that is no monitor of ours; its address. */
function stranger(stage: Stage): string {
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () => new Response("hello"),
  );
  stage.atEnd(() => server.shutdown());
  return `127.0.0.1:${server.addr.port}`;
}

/** Waits until a daemon has said something, then asks it how things stand. */
async function statusAfter(stage: Stage, config: string, said: RegExp): Promise<Way> {
  const { running, http } = await startedDaemon(stage, config);
  await running.line(said);
  return { args: ["status", http] };
}

/** A monitor that has frozen its log because proofs failed: nothing is proven. */
async function suspecting(stage: Stage): Promise<Awaited<ReturnType<typeof monitor>>> {
  const made = await monitor(stage);
  await run("run", "--once", "--config", made.config);
  const [, log] = /"vkey": "([^"]+)"/.exec(Deno.readTextFileSync(made.config))!;
  const [origin] = log!.split("+");
  const id = `${log!.split("+").slice(2).join("+")} ${origin}`;
  const alert = { version: "hearsay/alert/v1", case: `trouble ${id} unproven` };
  const file = put(stage.folder, "alert.json", JSON.stringify(alert));
  await run("incidents", "run", file, ...PERSON, "--config", made.config);
  return made;
}

/** A monitor whose log has tiles that do not fit its checkpoint. */
async function unproven(stage: Stage): Promise<string> {
  const { dir, config } = await monitor(stage);
  await run("run", "--once", "--config", config);
  await grow(dir, 3);
  const tile = `${dir}/tile/0/000.p/8`;
  const bytes = Deno.readFileSync(tile);
  bytes[40]! ^= 1;
  Deno.writeFileSync(tile, bytes);
  return config;
}

/** A monitor whose log is not where its configuration says. */
async function withoutLog(stage: Stage): Promise<string> {
  const { dir, config } = await monitor(stage);
  Deno.renameSync(dir, `${dir}-moved`);
  return config;
}

/** A monitor that is told another key of its log, and not that it replaces the one before. */
async function swappedKey(stage: Stage): Promise<string> {
  const { dir, config } = await monitor(stage);
  await run("run", "--once", "--config", config);
  const fresh = `${stage.folder}/fresh`;
  const { out } = await run("log", "rotate", dir, fresh);
  edit(config, /"vkey": ".*?"/, `"vkey": "${out[0]!}"`);
  edit(config, JSON.stringify(dir), JSON.stringify(fresh));
  return config;
}

/** A checkpoint with another root than the log has signed. */
async function changedNote(story: TestLog): Promise<string> {
  const note = await story.checkpoint();
  return note.replace(base64(story.root(8n)), base64(new Uint8Array(32)));
}

/** By their names in OPERATING. */
export const TROUBLES: Readonly<Record<string, Trouble>> = {
  ...FILE_TROUBLES,
  ...SEALING_TROUBLES,
  ...JOURNAL_TROUBLES,
  ...WEIGHING_TROUBLES,
  ...STORE_TROUBLES,
  "all well": WELL,
  "reader gone": everyCommand((way) => ({
    ...way,
    stdout: refusing(new Deno.errors.BrokenPipe("Broken pipe")),
  })),
  "asked to end": {
    "run": WELL["run"]!,
    "listen": WELL["listen"]!,
    "log serve": WELL["log serve"]!,
  },
  "outage": {
    "run": async (stage) => {
      const config = await withoutLog(stage);
      edit(config, '"peers": [', `"peers": [{ "address": "${NOBODY}" }, `);
      const unavailable = [/ log\.unavailable /, / exchange\.failed /];
      return {
        args: ["run", "--config", config],
        during: (running) => Promise.all(unavailable.map((said) => running.line(said))),
      };
    },
  },
  "case proven": {
    "run": async (stage) => ({
      args: ["run", "--config", (await deceived(stage)).config],
      during: (running) => running.line(/ incident\.recorded /),
    }),
    "run --once": async (stage) => ({
      args: ["run", "--once", "--config", (await deceived(stage)).config],
    }),
    "status": async (stage) =>
      await statusAfter(stage, (await deceived(stage)).config, / incident\.recorded /),
    "detect": async (stage) => await records(stage, "detect", `${stage.folder}/incidents`),
    "check": weighsTwoStories,
    "listen": async (stage) => {
      const { log, one, other } = await gathered(stage);
      return {
        args: ["listen", "--address", "127.0.0.1:0", "--log", log, "--have", one],
        during: async (running) => {
          const peer = addressOf(await running.line(/^listening on /));
          await run("exchange", peer, "--log", log, "--have", other);
        },
      };
    },
    ...each(["exchange", "ask"], (name) => async (stage) => {
      const { log, one, other } = await gathered(stage);
      const peer = await listening(stage, log, one);
      return { args: gossips(name, { peer, log, have: other }) };
    }),
    "config check": async (stage) => {
      const { dir, config } = await deceived(stage);
      edit(config, /"source": ".*"/, `"source": ["${dir}", "${stage.folder}/other"]`);
      return { args: ["config", "check", config] };
    },
  },
  "log frozen": {
    "status": async (stage) => ({
      args: ["status", await daemonOf(stage, (await freezing(stage)).config)],
    }),
    ...each(["check", "proof verify"], (name) => async (stage) => {
      const { config, dir } = await freezing(stage);
      const log = Deno.readTextFileSync(config).match(/"vkey": "([^"]+)"/)![1]!;
      const policy = put(stage.folder, "policy", `log ${log}\nquorum none\n`);
      const note = Deno.readTextFileSync(`${dir}/checkpoint`);
      const proof = `c2sp.org/tlog-proof@v1\nindex 0\n\n${note}`;
      const file = put(stage.folder, "weighed", name === "check" ? note : proof);
      const entry = name === "check" ? [] : ["--entry", put(stage.folder, "entry", "x")];
      return { args: [...words(name), file, "--policy", policy, ...entry, "--config", config] };
    }),
  },
  "evidence broken": {
    "verify": ({ folder }) => ({
      args: ["verify", put(folder, "record", spoilRecord(Deno.readTextFileSync(SAMPLE)))],
    }),
  },
  "usage": each(
    Object.keys(WELL),
    (name) => () => ({ args: [...words(name), "--no-such-option"] }),
  ),
  "no such text": each(["completions", "man"], (name) => () => ({ args: [name, "none"] })),
  "configuration": each(CONFIGURED, (name) => async (stage) => {
    const { config } = await monitor(stage);
    edit(config, '"100ms"', '"now"');
    return { args: configured(name, config) };
  }),
  "event of no use": {
    "alert eval": ({ folder }) => ({ args: ["alert", "eval", put(folder, "event", "{}\n")] }),
  },
  "no channels": {
    "alert test": async (stage) => ({
      args: ["alert", "test", "--config", (await monitor(stage)).config],
    }),
  },
  "alert not taken": {
    "alert test": async (stage) => ({ args: await alerting(stage, ["sh", "-c", "exit 1"]) }),
  },
  "trap": {
    "config check": async (stage) => {
      const { config } = await monitor(stage);
      edit(config, '"http": "127.0.0.1:0"', '"http": "0.0.0.0:0"');
      return { args: ["config", "check", config] };
    },
  },
  "no such member": each(["peers remove", "peers ban", "peers unban"], (name) => async (stage) => {
    const { args } = await WELL[name]!(stage);
    return { args: args.map((arg) => arg === MEMBER ? "monitor.invalid/three" : arg) };
  }),
  "no record": {
    "verify": ({ folder }) => ({ args: ["verify", put(folder, "page", "hello\n")] }),
  },
  "file of no use": each(GOSSIPS, (name) => async (stage) => {
    const { log, story } = await gathered(stage);
    const have = put(stage.folder, "changed", await changedNote(story));
    return { args: gossips(name, { peer: NOBODY, log, have }) };
  }),
  "output lost": everyCommand((way, stage) => ({ ...way, stdout: fullOutput(stage) })),
  "address taken": {
    ...each(["run", "config check"], (name) => async (stage) => {
      const { config } = await monitor(stage);
      edit(config, '"listen": "127.0.0.1:0"', `"listen": "${stranger(stage)}"`);
      return name === "run" ? runs(name, config) : { args: configured(name, config) };
    }),
    "listen": async (stage) => {
      const { log } = await gathered(stage);
      return { args: ["listen", "--address", stranger(stage), "--log", log] };
    },
    "log serve": async (stage) => {
      const { dir } = await makeLog(`${stage.folder}/log`, 5);
      const [, port] = stranger(stage).split(":");
      return { args: ["log", "serve", dir, "--port", port!] };
    },
  },
  "nobody answers": {
    "status": () => ({ args: ["status", NOBODY] }),
    ...each(ORDERS, (name) => async (stage) => ({
      args: configured(name, await withMember(stage)),
    })),
    ...each(["exchange", "ask"], (name) => async (stage) => {
      const { log, one } = await gathered(stage);
      return { args: gossips(name, { peer: NOBODY, log, have: one }) };
    }),
  },
  "another answers": {
    "status": async (stage) => {
      const config = await told(stage);
      Deno.removeSync(`${stage.folder}/one/monitor.key`);
      await run("keygen", "monitor.invalid/one", "--out", `${stage.folder}/one/monitor.key`);
      return { args: ["status", "--config", config] };
    },
    ...each(ORDERS, (name) => async (stage) => {
      const config = await withMember(stage);
      await startedDaemon(stage, config);
      Deno.removeSync(`${stage.folder}/one/monitor.key`);
      await run("keygen", "monitor.invalid/one", "--out", `${stage.folder}/one/monitor.key`);
      return { args: configured(name, config) };
    }),
    ...each(["exchange", "ask"], (name) => async (stage) => {
      const { log, one } = await gathered(stage);
      return { args: gossips(name, { peer: stranger(stage), log, have: one }) };
    }),
  },
  "log unavailable": {
    "run --once": async (stage) => runs("run --once", await withoutLog(stage)),
    "config check": async (stage) => ({
      args: configured("config check", await withoutLog(stage)),
    }),
    "status": async (stage) =>
      await statusAfter(stage, await withoutLog(stage), / log\.unavailable /),
  },
  "peer unavailable": {
    "run --once": async (stage) =>
      runs("run --once", (await monitor(stage, "--peer", NOBODY)).config),
    "config check": async (stage) => ({
      args: configured("config check", (await monitor(stage, "--peer", NOBODY)).config),
    }),
    "status": async (stage) => {
      const { config } = await monitor(stage, "--peer", NOBODY);
      return await statusAfter(stage, config, / exchange\.failed /);
    },
    "peers": async (stage) => {
      const config = await withMember(stage);
      edit(config, `"vkey": "${MEMBER}"`, `"vkey": "${MEMBER}", "address": "${NOBODY}"`);
      const { running } = await startedDaemon(stage, config);
      await running.line(/ exchange\.failed /);
      return { args: ["peers", "--config", config] };
    },
  },
  "nobody to compare with": {
    "status": async (stage) => {
      const { dir, log } = await makeLog(`${stage.folder}/log`, 5);
      const config = await makeMonitor(`${stage.folder}/alone`, { log, source: dir });
      return await statusAfter(stage, config, / log\.first /);
    },
  },
  "only begun": {
    // Nobody calls it.
    "status": async (stage) =>
      await statusAfter(stage, (await monitor(stage)).config, / log\.first /),
  },
  "key swapped": {
    "status": async (stage) => await statusAfter(stage, await swappedKey(stage), / log\.first /),
  },
  "reload refused": {
    "status": async (stage) => {
      const { config } = await monitor(stage);
      const { running, http } = await startedDaemon(stage, config);
      edit(config, /"poll": ".*?"/, '"poll": "now"');
      running.reload();
      await running.line(/ config\.refused /);
      return { args: ["status", http] };
    },
    ...each(["peers add", "peers remove"], (name) => async (stage) => {
      const config = await withMember(stage);
      if (name === "peers add") edit(config, `{ "vkey": "${MEMBER}" }`, "");
      await startedDaemon(stage, config);
      edit(config, '"http": "127.0.0.1:0"', `"http": "${stranger(stage)}"`);
      return { args: configured(name, config) };
    }),
  },
  "frozen for a suspicion": {
    "status": async (stage) => ({
      args: ["status", await daemonOf(stage, (await suspecting(stage)).config)],
    }),
    "check": async (stage) => {
      const { config, dir } = await suspecting(stage);
      const log = Deno.readTextFileSync(config).match(/"vkey": "([^"]+)"/)![1]!;
      const policy = put(stage.folder, "policy", `log ${log}\nquorum none\n`);
      return { args: ["check", `${dir}/checkpoint`, "--policy", policy, "--config", config] };
    },
    "proof verify": async (stage) => {
      const { config, dir } = await suspecting(stage);
      const log = Deno.readTextFileSync(config).match(/"vkey": "([^"]+)"/)![1]!;
      const policy = put(stage.folder, "policy", `log ${log}\nquorum none\n`);
      const note = Deno.readTextFileSync(`${dir}/checkpoint`);
      const file = put(stage.folder, "weighed", `c2sp.org/tlog-proof@v1\nindex 0\n\n${note}`);
      const entry = ["--entry", put(stage.folder, "entry", "x")];
      return {
        args: ["proof", "verify", file, "--policy", policy, ...entry, "--config", config],
      };
    },
  },
  "unproven": {
    "run --once": async (stage) => runs("run --once", await unproven(stage)),
    "status": async (stage) => await statusAfter(stage, await unproven(stage), / log\.unproven /),
  },
  "nothing to judge": {
    ...each(["gather", "detect"], (name) => async (stage) => {
      const { log } = await gathered(stage);
      return { args: [name, "--log", log, put(stage.folder, "empty", "")] };
    }),
    "ask": async (stage) => {
      const { log } = await gathered(stage);
      const have = `${stage.folder}/folder`;
      Deno.mkdirSync(have);
      return { args: gossips("ask", { peer: NOBODY, log, have }) };
    },
  },
  "not compared": {
    "detect": async (stage) => {
      const { log, story } = await gathered(stage);
      const heads = [await noteLine(story, 4), await noteLine(story, 6)].join("\n");
      return { args: ["detect", "--log", log, put(stage.folder, "heads", heads)] };
    },
  },
  "not judged": {
    "detect": async (stage) => {
      const { log, one, story } = await gathered(stage);
      const changed = put(stage.folder, "changed", await changedNote(story));
      return { args: ["detect", "--log", log, one, changed] };
    },
  },
  "interrupted": { "verify": () => ({ args: ["verify", "-"], signal: "SIGINT" }) },
  "terminated": { "verify": () => ({ args: ["verify", "-"], signal: "SIGTERM" }) },
  "fault": everyWorking((way, stage) => ({ ...way, world: faulty(stage) })),
};
