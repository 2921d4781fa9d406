/** A daemon's alerts alone, on a clock, a disk and a receiver in memory. */
import { assertEquals } from "@std/assert";
import { Webhook } from "standardwebhooks";
import type { ConflictRecord } from "../../src/evidence/record.ts";
import { Alerting } from "../../src/monitor/alerting.ts";
import { aboutCase } from "../../src/monitor/event_about.ts";
import type { EventReport, Level } from "../../src/monitor/events.ts";
import { makeRecord } from "../../src/monitor/make_record.ts";
import { type Alert, parseAlert } from "../../src/response/alert.ts";
import { verifyEvidence } from "../../src/response/alert_evidence.ts";
import type { Rule } from "../../src/response/policy.ts";
import type { AlertSettings } from "../../src/response/settings.ts";
import type { TestLog } from "../../src/sources/test_log.ts";
import { IncidentJournal } from "../../src/store/incidents.ts";
import { denoWorld } from "../../src/world/deno.ts";
import type { Signer } from "../../src/world/signer.ts";
import {
  type Files,
  type HttpRequest,
  type OpenFile,
  type World,
  WorldError,
} from "../../src/world/world.ts";
import { grow, newLog, newSigner, seenOf } from "../evidence/histories.ts";
import { SettableClock, settled } from "../gossip/fake_network.ts";
import { MemoryDisk } from "../store/memory_disk.ts";
import { SECRET } from "./receiver.ts";

/** Where the rig's daemon keeps its state. */
export const STATE = "home/state";
const INCIDENTS = "home/incidents";
/** Where its alerts go. */
export const HOOK = "https://hooks.example.com/alerts";
export const [SECOND, MINUTE, HOUR] = [1_000, 60_000, 3_600_000];

/** What the receiver does with a request: a status, or the error that the sender meets. */
export type Answer = (alert: Alert) => number | Error | Promise<number | Error>;

/** One event that was told. */
export interface Told {
  readonly name: string;
  readonly level: Level;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** The alerts of one daemon, which can be started, stopped, killed and cut off from power. */
export class Rig {
  readonly clock = new SettableClock();
  readonly disk = new MemoryDisk();
  /** Everything that was told, by the daemon's alerts too. */
  readonly told: Told[] = [];
  readonly refused: unknown[] = [];
  /** Every alert that the receiver has taken, repeats included. */
  readonly taken: Alert[] = [];
  /** All requests, those that were not taken included. */
  readonly requests: HttpRequest[] = [];
  answer: Answer = () => 204;
  rules: readonly Rule[] | undefined;
  settings: AlertSettings = {
    channels: [{
      ...{ name: "hook", least: "INFO", kind: "webhook" },
      webhook: { url: HOOK, secret: "hook.secret" },
    }],
    allow: [],
  };
  subjects: ReadonlySet<string> | undefined;
  /** Whether the disk takes nothing now. */
  full: () => boolean = () => false;
  readonly signer: Signer;
  #alerting: Alerting | undefined;
  #incidents: IncidentJournal | undefined;
  #running: Promise<void> | undefined;
  #generation = 0;

  private constructor(signer: Signer) {
    this.signer = signer;
    this.disk.put("hook.secret", SECRET);
  }

  static async make(): Promise<Rig> {
    return new Rig(await newSigner());
  }

  /** The alerts that were taken, each once. */
  get alerts(): Alert[] {
    return [...new Map(this.taken.map((alert) => [alert.id, alert])).values()];
  }

  /** What was taken, in short. */
  get account(): string[] {
    return this.alerts.map(({ level, state }) => `${level} ${state}`);
  }

  get alerting(): Alerting {
    return this.#alerting!;
  }

  get world(): World {
    const generation = this.#generation;
    const isAlive = (): boolean => generation === this.#generation;
    return {
      ...denoWorld(),
      clock: this.clock,
      files: this.#fillable(this.disk.files),
      // A command is given what a webhook is.
      commands: {
        ...denoWorld().commands,
        run: async ({ input }) => {
          if (!isAlive()) return await new Promise<never>(() => {});
          const alert = parseAlert(new TextDecoder().decode(input).trim());
          const answer = await this.answer(alert);
          if (answer instanceof Error) throw answer;
          this.taken.push(alert);
          return { code: 0, said: "" };
        },
      },
      http: {
        ...denoWorld().http,
        lookup: () => Promise.resolve(["203.0.113.7"]),
        request: async (request) => {
          if (!isAlive()) return await new Promise<never>(() => {});
          const status = await this.#receive(request);
          if (!isAlive()) return await new Promise<never>(() => {});
          return { status, header: () => undefined, body: new Uint8Array(0) };
        },
      },
    };
  }

  /** The same files, which take nothing while the disk is full. */
  #fillable(files: Files): Files {
    const fillable = (file: OpenFile): OpenFile => ({
      ...file,
      write: (bytes, at) => this.full() ? Promise.reject(FULL) : file.write(bytes, at),
    });
    return {
      ...files,
      open: async (path, mode) => fillable(await files.open(path, mode)),
      create: async (path, permissions) => fillable(await files.create(path, permissions)),
    };
  }

  async #receive(request: HttpRequest): Promise<number> {
    this.requests.push(request);
    const { headers, content = new Uint8Array(0) } = request;
    const body = new TextDecoder().decode(content);
    const alert = parseAlert(body);
    const { "webhook-id": id = "", "webhook-timestamp": at = "" } = headers;
    const signed = new Webhook(SECRET).sign(id, new Date(Number(at) * SECOND), body);
    assertEquals(headers["webhook-signature"], signed);
    assertEquals(id, alert.id);
    assertEquals(alert.evidence && verifyEvidence(alert.evidence), undefined);
    const answer = await this.answer(alert);
    if (answer instanceof Error) throw answer;
    if (answer >= 200 && answer < 300) this.taken.push(alert);
    return answer;
  }

  /** Starts it, and lets it do what is due at once. */
  async start(): Promise<void> {
    const { world, signer, rules } = this;
    const report: EventReport = {
      event: (name, level, fields) => void this.told.push({ name, level, fields }),
      workFailed: (error) => void this.refused.push(error),
    };
    const incidents = await IncidentJournal.open({ files: world.files, folder: INCIDENTS });
    this.#incidents = incidents;
    const alerting = new Alerting({
      ...{ world, settings: this.settings, monitor: signer.vkey.name, report },
      ...(rules && { rules }),
    });
    this.#alerting = alerting;
    await alerting.open({
      ...{ state: STATE, incidents, isWatching: () => true },
      subjects: this.subjects ?? ANY,
    });
    this.#running = alerting.run();
    await settled();
  }

  /** Tells an event, as the daemon does. */
  event(...event: Parameters<EventReport["event"]>): void {
    this.alerting.report.event(...event);
  }

  /** Records a case, and tells it. */
  async record(record: ConflictRecord): Promise<void> {
    const recorded = await this.#incidents!.record(record, this.clock.now().toISOString());
    if (recorded.outcome !== "recorded") throw new Error(recorded.outcome);
    this.tellRecorded(record, recorded.entry.seq);
  }

  /** Records a case, and ends before it is told. */
  async recordOnly(record: ConflictRecord): Promise<void> {
    await this.#incidents!.record(record, this.clock.now().toISOString());
  }

  tellRecorded({ ...record }: ConflictRecord, incident: number): void {
    const { evidence_id, log: { origin } } = record;
    const fields = { origin, evidence_id, incident };
    this.event("incident.recorded", "error", fields, aboutCase(record));
  }

  /** Lets time pass. */
  async pass(ms: number): Promise<void> {
    await this.clock.advance(ms);
    await settled();
  }

  /** Ends it as a daemon ends. */
  async stop(): Promise<void> {
    this.#alerting?.stop();
    await this.#running;
    await this.#alerting?.close();
    await this.#incidents?.close();
    this.#alerting = undefined;
  }

  /** The process is killed: what it wrote stays, and what it does has no effect any more. */
  kill(): void {
    this.#leave();
    this.disk.kill();
  }

  /** The power goes: what was not synced is lost. */
  powerCut(keepShare = 0): void {
    this.#leave();
    this.disk.crash({ keepShare });
  }

  #leave(): void {
    // Whatever goes on in it fails, and nobody hears of it.
    this.disk.fail({ at: 1, when: "before", lasting: true });
    this.#generation++;
    this.#alerting?.stop();
    this.#alerting = undefined;
  }
}

/** Everything is configured. */
const ANY: ReadonlySet<string> = { has: () => true } as unknown as ReadonlySet<string>;

/** Records about one log, each about another root at one size. */
export async function casesOf(
  rig: Rig,
  count: number,
  origin = "log.invalid/split",
): Promise<ConflictRecord[]> {
  const log: TestLog = grow(await newLog(origin), 3);
  const stories = Array.from({ length: count + 1 }, (_, i) => grow(log.fork(), 5, `${i}`));
  const first = await seenOf(stories[0]!, 5, "the log");
  const records = [];
  for (const story of stories.slice(1)) {
    const second = await seenOf(story, 5, "192.0.2.1");
    const conflict = { kind: "same_size", first, second } as const;
    records.push(await makeRecord({ world: rig.world, conflict, signer: rig.signer }));
  }
  return records;
}

const FULL = new WorldError("other", "No space left on device (os error 28)");

/** Nobody answers. */
export const UNREACHABLE = new WorldError("other", "connection refused");
