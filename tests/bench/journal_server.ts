/**
 * A thread that publishes a journal, as a daemon does, and beside it the same bytes as bare files.
 *
 * @module
 */
/// <reference lib="webworker" />
import { FIRST_LINK, type Link } from "../../src/evidence/entry.ts";
import { JournalLog, type SignedHead } from "../../src/federation/journal_log.ts";
import { Gate } from "../../src/federation/gate.ts";
import { nextLine } from "../../src/store/journal.ts";
import { denoWorld } from "../../src/world/deno.ts";
import { generateSigner } from "../../src/world/signer.ts";
import { answerFederation } from "../../src/web/federation_server.ts";

/** What the thread is asked for. */
export type JournalJob =
  /** to publish a journal of so many entries, in this folder */
  | { readonly kind: "publish"; readonly folder: string; readonly entries: number }
  /** to add so many */
  | { readonly kind: "grow"; readonly entries: number };

/** Where it is. */
export interface PublishedJournal {
  readonly url: string;
  readonly vkey: string;
  /** The whole file, bare. */
  readonly bare: string;
}

const world = denoWorld();
const A_SECOND = 1_000_000;
let last: Link = FIRST_LINK;
let end = 0;
let file: Deno.FsFile;
let log: JournalLog;

/** A record as long as those of a log with short checkpoints are. */
function record(i: number): Record<string, unknown> {
  const note = (root: string): string =>
    `log.invalid/bench\n${i}\n${root}\n\n— log.invalid/bench ${"A".repeat(92)}\n`;
  const half = (root: string) => ({ note: note(root), root, size: `${i}` });
  return {
    ...{ checkpoint_a: half("a".repeat(44)), checkpoint_b: half("b".repeat(44)) },
    ...{ detected_at: "2026-11-28T00:00:00Z", detector_id: "monitor.invalid/bench" },
    ...{ evidence_id: `${i}`.padStart(64, "0"), evidence_signature: "C".repeat(88) },
    ...{ key_id: "01234567", kind: "same_size", source_a: "the log", source_b: "192.0.2.7:9900" },
    log: { origin: "log.invalid/bench", vkey: `log.invalid/bench+01234567+${"D".repeat(44)}` },
  };
}

function grow(entries: number): void {
  const lines: Uint8Array[] = [];
  for (let i = 0; i < entries; i++) {
    const { entry, line } = nextLine(last, record(last.seq), "2026-11-28T00:00:00Z");
    last = entry;
    lines.push(line);
  }
  for (const line of lines) {
    file.writeSync(line);
    end += line.length;
  }
}

async function publish(folder: string, entries: number): Promise<PublishedJournal> {
  const path = `${folder}/journal.jsonl`;
  file = await Deno.open(path, { create: true, write: true });
  grow(entries);
  const { signer } = await generateSigner({ world, name: "monitor.invalid/bench" });
  let head: SignedHead | undefined;
  log = await JournalLog.open({
    ...{ files: world.files, clock: world.clock, signer, folder: `${folder}/log` },
    memory: {
      read: () => Promise.resolve(head),
      write: (next) => Promise.resolve(void (head = next)),
    },
    journal: { path, durableEnd: () => end },
    onNewEpoch: ({ detail }) => {
      throw new Error(detail);
    },
  });
  const limits = { perSecond: A_SECOND, perSecondPerAddress: A_SECOND };
  const gate = new Gate({ clock: world.clock, limits });
  const page = { log, gate, mirrors: () => undefined, failed: () => {} };
  const any = { hostname: "127.0.0.1", port: 0 };
  const server = world.http.serve(any, (query) => answerFederation(query, page), () => {});
  const bare = Deno.serve({ ...any, onListen: () => {} }, async (request) => {
    const [from, to] = new URL(request.url).search.slice(1).split("-").map(Number);
    const opened = await Deno.open(path);
    const bytes = new Uint8Array(Math.min(to!, end) - from!);
    await opened.seek(from!, Deno.SeekMode.Start);
    for (let at = 0; at < bytes.length;) at += (await opened.read(bytes.subarray(at)))!;
    opened.close();
    return new Response(bytes);
  });
  return {
    url: `http://127.0.0.1:${server.address.port}`,
    vkey: signer.vkey.text,
    bare: `http://127.0.0.1:${bare.addr.port}/`,
  };
}

self.onmessage = async ({ data }: MessageEvent<JournalJob>) => {
  if (data.kind === "publish") {
    self.postMessage(await publish(data.folder, data.entries));
    return;
  }
  grow(data.entries);
  await log.advance();
  self.postMessage(end);
};
