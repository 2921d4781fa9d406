/** Witnesses of others, started for some logs, and what a test asks of any witness. */
import type { Log } from "../../src/tlog/log.ts";
import { put, run } from "../cli/harness.ts";
import { all, build, type Built, NEWER_GO, onPath, shell } from "./go.ts";
import { freePort, Process } from "./processes.ts";

export const OMNIWITNESS = await build(
  "github.com/transparency-dev/witness/cmd/omniwitness@v0.0.0-20260720115447-2e1c6971d19e",
);
const [litewitness, agent, adder, keygen, sqlite] = await Promise.all([
  build("filippo.io/torchwood/cmd/litewitness@v0.10.0", NEWER_GO),
  ...["ssh-agent", "ssh-add", "ssh-keygen", "sqlite3"].map(onPath),
]) as [Built, Built, Built, Built, Built];
/** What a litewitness takes: its key is in an ssh-agent, and its logs are rows of its database. */
export type LitewitnessProgram = "litewitness" | "agent" | "adder" | "keygen" | "sqlite";
export const LITEWITNESS = all<LitewitnessProgram>({ litewitness, agent, adder, keygen, sqlite });

/** A witness that runs. */
export interface RunningWitness extends AsyncDisposable {
  /** Its submission prefix, without a slash at the end. */
  readonly url: string;
  readonly vkeys: readonly string[];
  /** The ids of its processes. */
  readonly pids: readonly number[];
}

/**
 * Starts an omniwitness. Its keys are made by our keygen: it reads them, so the formats agree.
 * @param isDurable whether it keeps its state in a file, or in memory alone
 */
export async function startOmniwitness(
  { program, folder, logs, isDurable = true, isMlDsa = true }: {
    program: string;
    folder: string;
    logs: readonly Log[];
    isDurable?: boolean;
    /** Whether it has a key of type 0x06 too. */
    isMlDsa?: boolean;
  },
): Promise<RunningWitness> {
  const [port, metrics] = [freePort(), freePort()];
  const vkeys: string[] = [];
  const keys: string[] = [];
  for (const flags of isMlDsa ? [[], ["--mldsa"]] : [[]]) {
    const path = `${folder}/omniwitness${flags.length}.key`;
    const made = await run("keygen", "--witness", "omniwitness.invalid", ...flags, "--out", path);
    vkeys.push(made.out[0]!);
    keys.push("--private_key_path", path);
    // It takes no newline at the end.
    Deno.writeTextFileSync(path, Deno.readTextFileSync(path).trimEnd());
  }
  const yaml = logs.map(({ origin, vkey }) =>
    `  - Origin: ${origin}\n    URL: http://127.0.0.1:1/\n    PublicKey: ${vkey.text}\n    Feeder: none\n`
  );
  const list = put(folder, "omniwitness.yaml", `Logs:\n${yaml.join("")}`);
  const process = Process.start([
    ...[program, "--listen", `127.0.0.1:${port}`, "--metrics_listen", `127.0.0.1:${metrics}`],
    ...[
      "--additional_logs",
      list,
      ...keys,
      ...(isDurable ? ["--db_file", `${folder}/omni.db`] : []),
    ],
  ], folder);
  await process.reached(port);
  return {
    ...{ url: `http://127.0.0.1:${port}`, vkeys, pids: [process.pid] },
    [Symbol.asyncDispose]: () => process[Symbol.asyncDispose](),
  };
}

/** Starts a litewitness, whose key an ssh-agent of its own has. */
export async function startLitewitness(
  { programs, folder, logs }: {
    programs: Readonly<Record<LitewitnessProgram, string>>;
    folder: string;
    logs: readonly Log[];
  },
): Promise<RunningWitness> {
  const [port, socket, key] = [freePort(), `${folder}/agent`, `${folder}/ssh.key`];
  const { keygen, agent, adder, sqlite, litewitness } = programs;
  await expectDone(keygen, "-q", "-t", "ed25519", "-N", "", "-f", key);
  const fingerprint = /SHA256:\S+/.exec(await expectDone(keygen, "-lf", `${key}.pub`))![0];
  const agentProcess = Process.start([agent, "-D", "-a", socket], folder);
  await agentProcess.printed(/SSH_AUTH_SOCK/);
  await expectDone("env", `SSH_AUTH_SOCK=${socket}`, adder, "-q", key);
  const [database, empty] = [`${folder}/lite.db`, "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="];
  const line = [
    ...[litewitness, "-name", "litewitness.invalid", "-db", database, "-ssh-agent", socket],
    ...["-key", fingerprint, "-listen", `127.0.0.1:${port}`],
  ];
  // The first start makes the tables.
  await using first = Process.start(line, folder);
  await first.reached(port);
  await first[Symbol.asyncDispose]();
  const rows = logs.map(({ origin, vkey }) =>
    `INSERT INTO log VALUES ('${origin}', 0, '${empty}'); ` +
    `INSERT INTO key VALUES ('${origin}', '${vkey.text}');`
  );
  await expectDone(sqlite, database, rows.join("\n"));
  const process = Process.start(line, folder);
  await process.reached(port);
  const [, vkey] = await process.printed(/verifier key" vkey=(\S+)/);
  return {
    ...{ url: `http://127.0.0.1:${port}`, vkeys: [vkey!] },
    pids: [process.pid, agentProcess.pid],
    async [Symbol.asyncDispose]() {
      await process[Symbol.asyncDispose]();
      await agentProcess[Symbol.asyncDispose]();
    },
  };
}

async function expectDone(...args: readonly string[]): Promise<string> {
  const { code, out, err } = await shell('exec "$@"', ...args);
  if (code !== 0) throw new Error(`${args.join(" ")}: ${err}`);
  return out;
}

/** Posts a body. */
export async function post(
  url: string,
  body: Uint8Array<ArrayBuffer>,
): Promise<{ status: number; text: string }> {
  const response = await fetch(url, { method: "POST", body });
  return { status: response.status, text: await response.text() };
}
