/** Every kind of trouble in OPERATING's table of exit codes, and how it is brought about. */
import { base64 } from "../../../src/tlog/encoding.ts";
import { keyFile, put, run } from "../harness.ts";
import { edit, grow, makeLog, makeMonitor, startDaemon } from "../monitors.ts";
import { faulty, fullDisk, fullOutput, refusing } from "./broken_world.ts";
import {
  each,
  everyCommand,
  INCIDENTS,
  OBSERVATIONS,
  reading,
  RECORDS,
  records,
  RUNS,
  runs,
  type Trouble,
  words,
} from "./groups.ts";
import { journals, spoilRecord, withRecord } from "./spoiled.ts";
import {
  addressOf,
  caseJournal,
  daemonOf,
  deceived,
  gathered,
  listening,
  monitor,
  SAMPLE,
  type Stage,
  type Way,
} from "./stage.ts";
import { WELL } from "./well.ts";

/** Nobody listens there: no system gives such a port to whoever asks for any. */
const NOBODY = "127.0.0.1:2";

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
  const { running, http } = await startDaemon(config);
  stage.atEnd(() => {
    running.stop();
    return running.done;
  });
  await running.line(said);
  return { args: ["status", http] };
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

/** By the names in the table. */
export const TROUBLES: Readonly<Record<string, Trouble>> = {
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
    "exchange": async (stage) => {
      const { log, one, other } = await gathered(stage);
      const args = ["exchange", await listening(stage, log, one), "--log", log, "--have", other];
      return { args };
    },
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
  "configuration": each(
    [...RUNS, "status", ...INCIDENTS, ...OBSERVATIONS],
    (name) => async (stage) => {
      const { config } = await monitor(stage);
      edit(config, '"100ms"', '"now"');
      return { args: [...reading(name), "--config", config] };
    },
  ),
  "no such file": {
    ...each([...RUNS, "status", ...INCIDENTS, ...OBSERVATIONS], (name) => ({ folder }) => ({
      args: [...reading(name), "--config", `${folder}/none`],
    })),
    "verify": ({ folder }) => ({ args: ["verify", `${folder}/none`] }),
    "detect": async (stage) => {
      const { log } = await gathered(stage);
      return { args: ["detect", "--log", log, `${stage.folder}/none`] };
    },
    ...each(["listen", "exchange"], (name) => async (stage) => {
      const { log } = await gathered(stage);
      const where = name === "listen" ? ["--address", "127.0.0.1:0"] : [NOBODY];
      return { args: [name, ...where, "--log", log, "--have", `${stage.folder}/none`] };
    }),
    "log append": ({ folder }) => ({ args: ["log", "append", folder] }),
    "log fork": ({ folder }) => ({ args: ["log", "fork", folder, `${folder}/other`] }),
    "log serve": ({ folder }) => ({ args: ["log", "serve", folder, "--port", "0"] }),
  },
  "not a file": {
    ...each([...RUNS, "status", ...INCIDENTS, ...OBSERVATIONS], (name) => ({ folder }) => ({
      args: [...reading(name), "--config", folder],
    })),
    "verify": ({ folder }) => ({ args: ["verify", folder] }),
    "detect": async (stage) => {
      const { log } = await gathered(stage);
      return { args: ["detect", "--log", log, stage.folder] };
    },
    ...each(["listen", "exchange"], (name) => async (stage) => {
      const { log } = await gathered(stage);
      const where = name === "listen" ? ["--address", "127.0.0.1:0"] : [NOBODY];
      return { args: [name, ...where, "--log", log, "--key", stage.folder] };
    }),
  },
  "in the way": {
    "init": async (stage) => {
      const { args } = await WELL["init"]!(stage);
      await run(...args);
      return { args };
    },
    "keygen": async (stage) => ({
      args: ["keygen", "test.invalid/one", "--out", await keyFile(stage.folder)],
    }),
    "log init": async ({ folder }) => ({
      args: [
        "log",
        "init",
        (await makeLog(`${folder}/log`, 5)).dir,
        "--origin",
        "test.invalid/log",
      ],
    }),
    "log fork": async ({ folder }) => {
      const { dir } = await makeLog(`${folder}/log`, 5);
      return { args: ["log", "fork", dir, dir] };
    },
  },
  "no record": {
    "verify": ({ folder }) => ({ args: ["verify", put(folder, "page", "hello\n")] }),
  },
  "no such incident": {
    "incidents show": async (stage) => ({
      args: ["incidents", "show", "9", "--incidents", await caseJournal(stage)],
    }),
  },
  "no journal": {
    ...each(INCIDENTS, (name) => ({ folder }) => ({
      args: [...reading(name), "--incidents", folder],
    })),
    ...each(OBSERVATIONS, (name) => ({ folder }) => ({
      args: [...words(name), "--state", `${folder}/none`],
    })),
  },
  "journal damaged": journals((line) => line.replace('"seq":1', '"seq":2')),
  "journal foreign": journals(() => '{"version":99,"what":"an entry of another program"}'),
  "journal in use": {
    ...each(RUNS, (name) => async (stage) => {
      const { config } = await monitor(stage);
      await daemonOf(stage, config);
      return runs(name, config);
    }),
    ...each(RECORDS, (name) => async (stage) => {
      const way = await records(stage, "listen", `${stage.folder}/incidents`);
      await stage.background(way.args).line(/^listening on /);
      return await records(stage, name, `${stage.folder}/incidents`);
    }),
  },
  "record broken": each(INCIDENTS, (name) => async (stage) => {
    const incidents = await caseJournal(stage);
    const path = `${incidents}/journal.jsonl`;
    Deno.writeTextFileSync(path, `${withRecord(Deno.readTextFileSync(path), spoilRecord)}\n`);
    return { args: [...reading(name), "--incidents", incidents] };
  }),
  "output lost": everyCommand((way, stage) => ({ ...way, stdout: fullOutput(stage) })),
  "address taken": {
    "run": async (stage) => {
      const { config } = await monitor(stage);
      edit(config, '"listen": "127.0.0.1:0"', `"listen": "${stranger(stage)}"`);
      return runs("run", config);
    },
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
    "exchange": async (stage) => {
      const { log, one } = await gathered(stage);
      return { args: ["exchange", NOBODY, "--log", log, "--have", one] };
    },
  },
  "another answers": {
    "status": async (stage) => {
      const config = await told(stage);
      Deno.removeSync(`${stage.folder}/one/monitor.key`);
      await run("keygen", "monitor.invalid/one", "--out", `${stage.folder}/one/monitor.key`);
      return { args: ["status", "--config", config] };
    },
    "exchange": async (stage) => {
      const { log, one } = await gathered(stage);
      return { args: ["exchange", stranger(stage), "--log", log, "--have", one] };
    },
  },
  "log unavailable": {
    "run --once": async (stage) => runs("run --once", await withoutLog(stage)),
    "status": async (stage) =>
      await statusAfter(stage, await withoutLog(stage), / log\.unavailable /),
  },
  "peer unavailable": {
    "run --once": async (stage) =>
      runs("run --once", (await monitor(stage, "--peer", NOBODY)).config),
    "status": async (stage) => {
      const { config } = await monitor(stage, "--peer", NOBODY);
      return await statusAfter(stage, config, / exchange\.failed /);
    },
  },
  "nobody to compare with": {
    "status": async (stage) => {
      const { dir, log } = await makeLog(`${stage.folder}/log`, 5);
      const config = await makeMonitor(`${stage.folder}/alone`, { log, source: dir });
      return await statusAfter(stage, config, / log\.first /);
    },
  },
  "unproven": {
    "run --once": async (stage) => runs("run --once", await unproven(stage)),
    "status": async (stage) => await statusAfter(stage, await unproven(stage), / log\.unproven /),
  },
  "nothing to judge": {
    "detect": async (stage) => {
      const { log } = await gathered(stage);
      return { args: ["detect", "--log", log, put(stage.folder, "empty", "")] };
    },
  },
  "not judged": {
    "detect": async (stage) => {
      const { log, one, story } = await gathered(stage);
      const note = await story.checkpoint();
      const changed = note.replace(base64(story.root(8n)), base64(new Uint8Array(32)));
      return { args: ["detect", "--log", log, one, put(stage.folder, "changed", changed)] };
    },
  },
  "disk refuses": {
    ...each(
      ["demo", "init", "keygen", ...RUNS, "log init", "log append", "log fork"],
      (name) => async (stage) => ({
        ...await WELL[name]!(stage),
        world: fullDisk(stage),
      }),
    ),
    ...each(RECORDS, (name) => async (stage) => ({
      ...await records(stage, name, `${stage.folder}/incidents`),
      world: fullDisk(stage),
    })),
  },
  // The journal is there, so only the case itself meets the full disk.
  "case not written": each(RECORDS, (name) => async (stage) => ({
    ...await records(stage, name, await caseJournal(stage)),
    world: fullDisk(stage),
  })),
  "interrupted": { "verify": () => ({ args: ["verify", "-"], signal: "SIGINT" }) },
  "terminated": { "verify": () => ({ args: ["verify", "-"], signal: "SIGTERM" }) },
  "fault": everyCommand((way, stage) => ({ ...way, world: faulty(stage) })),
};

/** What a command says in each kind of trouble, so that no code comes from another one. */
export const SAYS: Readonly<Record<string, RegExp>> = {
  "outage": / log\.unavailable .* exchange\.failed | exchange\.failed .* log\.unavailable /s,
  "case proven": /incident\.recorded|1 PROVEN CASE|_size|INCONSISTENT/,
  "evidence broken": /The evidence does not hold/,
  "usage": /there is no option "--no-such-option"/,
  "configuration": /hearsay\.jsonc:\d+:\d+: poll is "now"/,
  "no such file": /there is no (file|log)/,
  "not a file": /is a folder, expected a file|is not an ordinary file/,
  "in the way": /exists|there is a log/,
  "no record": /holds no conflict record/,
  "no such incident": /there is no incident "9"/,
  "no journal": /has no journal in it|is not there/,
  "journal damaged": /line 1 is damaged/,
  "journal foreign": /line 1 is damaged/,
  "journal in use": /another process/,
  "record broken": /fails/,
  "output lost": /of the output could not be written: No space left/,
  "address taken": /cannot listen on|cannot serve the status/,
  "nobody answers": /no daemon answers|cannot be reached/,
  "another answers": /has another key|peer /,
  "log unavailable": /unavailable|cannot be reached/,
  "peer unavailable": /exchange\.failed|cannot be reached: /,
  "nobody to compare with": /nothing is compared with anybody/,
  "unproven": /unproven/,
  "nothing to judge": /nothing to judge/,
  "not judged": /not judged: 1 items/,
  "disk refuses": /No space left on device/,
  "case not written": /NOT WRITTEN/,
  "fault": /a fault in Hearsay itself/,
};
